A deployment whose head is killed, and taken up again.

  $ "$PYTHON" "$CASES/make_model.py" 2>/dev/null
  $ cat >devices.toml <<END
  > [[device]]
  > name = "pi"
  > threads = 1
  > memory = "512MiB"
  > [[device]]
  > name = "desk"
  > threads = 1
  > memory = "512MiB"
  > END
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --devices devices.toml -r 3 -d 0.02 -l 3 >/dev/null
  $ lamina configure cut pi -c 'must={first:pi,scores:desk}' >/dev/null
  $ head_of() { jq -r '.processes[] | select(.role == "head").pid' "$XDG_STATE_HOME"/lamina/deployments/*/record.json; }
  $ workers_of() { jq -r '.processes[] | select(.role != "head").pid' "$XDG_STATE_HOME"/lamina/deployments/*/record.json; }
  $ ended() { for _ in $(seq 500); do kill -0 "$1" 2>/dev/null || { echo ended; return; }; sleep 0.02; done; echo "$1 runs"; }
  $ answer() { curl -s --data-binary @in.npy "localhost:$1/input" -o served.npy && "$PYTHON" "$CASES/same.py" served.npy keras.npy; }

There is nothing to take up at first:

  $ lamina deploy cut --port 0 --resume
  lamina: no deployment of 'cut' was interrupted
  [3]
  $ lamina deploy cut --port 0 --detach | sed 's/ment [A-Za-z0-9]* /ment ID /; s/:[0-9]*$/:PORT/'
  deployment ID serves on http://127.0.0.1:PORT
  $ port=$(jq .port "$XDG_STATE_HOME"/lamina/deployments/*/record.json)
  $ answer "$port"
  same

One that runs is none to take up:

  $ lamina deploy cut --port 0 --resume
  lamina: no deployment of 'cut' was interrupted
  [3]

The head is killed, and local workers end with it:

  $ pi_and_desk=$(workers_of)
  $ head=$(head_of)
  $ kill -9 "$head"; ended "$head"
  ended
  $ for worker in $pi_and_desk; do ended "$worker"; done
  ended
  ended
  $ lamina status | awk '!NF {exit} NR > 1 {print $(NF-2), $NF}'
  head ended
  pi ended
  desk ended

Taken up in the background: the same port, the weights that the workers had, and one deployment only:

  $ ls "$XDG_STATE_HOME"/lamina/deployments/*/pi/store | sort >before
  $ lamina deploy cut --port 0 --detach --resume | sed "s/ment [A-Za-z0-9]* /ment ID /; s/:$port\$/:SAME/"
  deployment ID serves on http://127.0.0.1:SAME
  $ answer "$port"
  same
  $ ls "$XDG_STATE_HOME"/lamina/deployments/*/pi/store | sort | cmp - before
  $ ls "$XDG_STATE_HOME"/lamina/deployments | wc -l
  1
  $ lamina status | awk '!NF {exit} NR > 1 {print $(NF-2), $NF}'
  head running
  pi running
  desk running

Killed again, and taken up without being told to:

  $ head=$(head_of)
  $ kill -9 "$head"; ended "$head"
  ended
  $ lamina deploy cut --port 0 --detach | sed "s/ment [A-Za-z0-9]* /ment ID /; s/:$port\$/:SAME/"
  deployment ID serves on http://127.0.0.1:SAME
  $ answer "$port"
  same
  $ lamina clean
  removed 1 deployment
  $ pgrep -f "$XDG_STATE_HOME" || echo none
  none

Workers that were started elsewhere live on, and serve the head that takes the deployment up:

  $ for name in pi desk; do lamina worker --name $name --listen 127.0.0.1:0 --threads 1 --memory 512MiB --store "$PWD/$name" --address-file "$PWD/$name.address" 2>/dev/null & echo $! >$name.pid; done
  $ for name in pi desk; do for _ in $(seq 500); do [ -e $name.address ] && break; sleep 0.02; done; done
  $ deploy() { lamina deploy cut --port 0 --detach --worker "pi=$(cat pi.address)" --worker "desk=$(cat desk.address)" "$@" | sed "s/ment [A-Za-z0-9]* /ment ID /; s/:$port\$/:SAME/; s/:[0-9]*\$/:PORT/"; }
  $ deploy
  deployment ID serves on http://127.0.0.1:PORT
  $ port=$(jq .port "$XDG_STATE_HOME"/lamina/deployments/*/record.json)
  $ answer "$port"
  same
  $ head=$(head_of)
  $ kill -9 "$head"; ended "$head"
  ended
  $ for name in pi desk; do kill -0 "$(cat $name.pid)" && echo lives; done
  lives
  lives
  $ deploy --resume
  deployment ID serves on http://127.0.0.1:SAME
  $ answer "$port"
  same
  $ lamina clean
  removed 1 deployment

What is loaded serves on when one of them is lost. No format is chosen anew for it, which would take runs of the model on the calibration input:

  $ cp in.npy calibration.npy
  $ lamina configure cut pi -c 'must={first:pi,scores:desk}' --wire bf16 --calibration picture=calibration.npy >/dev/null
  $ jq '.demands.constraints = ""' cut/plan.json >free.json && mv free.json cut/plan.json
  $ deploy
  deployment ID serves on http://127.0.0.1:PORT
  $ port=$(jq .port "$XDG_STATE_HOME"/lamina/deployments/*/record.json)
  $ rm calibration.npy
  $ kill "$(cat desk.pid)"; ended "$(cat desk.pid)"
  ended
  $ for _ in $(seq 200); do curl -s "localhost:$port/status" >status.json; jq -e '.recovery.recoveries == 1' status.json >/dev/null && break; sleep 0.05; done
  $ jq -c '[.recovery.lost, ([.stages[].worker] | unique)]' status.json
  [["desk"],["pi"]]
  $ curl -s --data-binary @in.npy "localhost:$port/input" -o served.npy -w '%{http_code}\n'
  200
  $ lamina clean
  removed 1 deployment
  $ kill -0 "$(cat pi.pid)" && echo lives; kill "$(cat pi.pid)"; ended "$(cat pi.pid)"
  lives
  ended
