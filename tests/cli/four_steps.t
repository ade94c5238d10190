The four steps on a small model, and the same in one.

  $ "$PYTHON" "$CASES/make_model.py" 2>/dev/null
  $ cat >devices.toml <<END
  > [[device]]
  > name = "pi"
  > threads = 1
  > memory = "512MiB"
  > [[device]]
  > name = "desk"
  > threads = 2
  > memory = "1GiB"
  > END

What the model is:

  $ lamina inspect small.keras | head -3
  small: 6 layers
  input  picture  float32 (batch, 16, 16, 1)
  output scores  float32 (batch, 4)
  $ lamina inspect small.keras --json | jq -c '[.parameters, (.layers | length), (.cuts | length)]'
  [2236,6,7]

On one machine:

  $ lamina predict small.keras in.npy -o out.npy --classes classes.txt | sed 's/: [a-z]* (.*)/: CLASS/'
  scores: float32 (2, 4)
    item 0: CLASS
    item 1: CLASS
  $ "$PYTHON" "$CASES/same.py" out.npy keras.npy
  same

Cut, measured, planned:

  $ lamina slice small.keras -o cut | tail -1
  wrote cut: [34] pieces, 5 legal cuts (re)
  $ ls cut
  model.json
  weights.safetensors
  $ lamina benchmark cut --devices devices.toml -r 3 -d 0.05 -l 5 | tail -1
  wrote cut/benchmark.json
  $ lamina configure cut pi -c 'must={first:pi,scores:desk}' | sed 's/[0-9.]* ms.*/N ms/' | tail -2
  predicted latency N ms
  wrote cut/plan.json
  $ jq -c '[.stages[].replicas[].device]' cut/plan.json
  ["pi","desk"]

The best plans run for a moment, and the one that does best is kept:

  $ lamina configure cut pi -c 'must={first:pi,scores:desk}' --measure 2 --explain >measured.txt
  $ grep -c -e '^plan [12] of 2 on the machines: predicted .* requests/s' -e '^measured as it runs' measured.txt
  3
  $ grep 'measured, ms$' measured.txt | grep -o 'predicted, ms .*measured\|slice\|of the latency' | sed 's/  */ /g'
  slice
  predicted, ms measured
  slice
  of the latency
  predicted, ms measured
  $ jq -c '[.measured.latency > 0, ([.stages[].measured_seconds] | all(. > 0))]' cut/plan.json
  [true,true]

Plans with replicas are found one at a time, each after what the one before has shown:

  $ lamina configure cut pi --objective throughput --replicas auto --measure 2 --dry-run | grep -c '^plan 1 of 2 on the machines: predicted .* requests/s'
  1
  $ pgrep -f "$PWD" || echo none
  none

Served, with real clients:

  $ lamina deploy cut --port 0 --detach | sed 's/ment [A-Za-z0-9]* /ment ID /; s/:[0-9]*$/:PORT/'
  deployment ID serves on http://127.0.0.1:PORT
  $ lamina status | awk '!NF {exit} NR > 1 {print $(NF-2), $NF}'
  head running
  pi running
  desk running
  $ port=$(lamina status | sed -n 's/.*port \([0-9]*\) .*/\1/p' | head -1)
  $ curl -s "localhost:$port/activate" | jq -c 'map_values(.status)'
  {"desk":200,"pi":200}
  $ curl -s "localhost:$port/health/ready" -o /dev/null -w '%{http_code}\n'
  200
  $ curl -s --data-binary @in.npy "localhost:$port/input" -o served.npy -w '%{http_code}\n'
  200
  $ "$PYTHON" "$CASES/same.py" served.npy keras.npy
  same
  $ curl -s --data-binary @classes.txt "localhost:$port/input" -w '\n%{http_code}\n' | grep -c -E '^400$|Input dimensions does not match the model'
  [12] (re)
  $ curl -s "localhost:$port/health/ready" -o /dev/null -w '%{http_code}\n'
  200
  $ lamina clean
  removed 1 deployment
  $ lamina status
  nothing is deployed
  $ pgrep -f "$PWD" || echo none
  none

PAPDL's flags are taken, and its way to a directory for Docker Compose:

  $ lamina clean -b -s -o && papdl clean -R -I -n -x
  removed 0 deployments
  removed 0 deployments
  $ papdl --generate small.keras --out parcel | grep -c "deploy parcel --target compose"
  1
  $ ls parcel
  docker-compose.yml
  manifest.json
  model.json
  plan.json
  weights.safetensors

Several batch sizes measured, and requests joined as the plan says:

  $ cp -r cut joined
  $ lamina benchmark joined --devices devices.toml -b 1,8 -r 3 -d 0.05 -l 5 | tail -1
  wrote joined/benchmark.json
  $ lamina configure joined pi --batch 8 | grep -c 'joined into batches of 8;'
  1
  $ lamina deploy joined --port 0 --detach >/dev/null
  $ port=$(lamina status | sed -n 's/.*port \([0-9]*\) .*/\1/p' | head -1)
  $ for i in 1 2 3 4; do curl -s --data-binary @in.npy "localhost:$port/input" -o planned$i.npy & done; wait
  $ for i in 1 2 3 4; do "$PYTHON" "$CASES/same.py" planned$i.npy keras.npy; done | sort -u
  same
  $ curl -s "localhost:$port/metrics" | sed -n 's/^lamina_batch_rows_sum //p'
  8
  $ lamina clean
  removed 1 deployment

Served to many at once, whose requests are joined:

  $ lamina deploy cut --port 0 --detach --batch-limit 8 --batch-window 50 >/dev/null
  $ port=$(lamina status | sed -n 's/.*port \([0-9]*\) .*/\1/p' | head -1)
  $ for i in 1 2 3 4 5 6 7 8; do curl -s --data-binary @in.npy "localhost:$port/input" -o joined$i.npy & done; wait
  $ for i in 1 2 3 4 5 6 7 8; do "$PYTHON" "$CASES/same.py" joined$i.npy keras.npy; done | sort | uniq -c | sed 's/^ *//'
  8 same
  $ curl -s "localhost:$port/metrics" | grep -E '^lamina_batch_rows_sum|^lamina_pipeline_answered'
  lamina_pipeline_answered_total 8
  lamina_batch_rows_sum 16
  $ lamina clean
  removed 1 deployment

All in one:

  $ lamina up small.keras --workers 2 -r 3 -d 0.05 -l 5 --port 0 --input in.npy --once | grep -E '^scores|difference' | sed 's/: [0-9.e-]* of/: D of/'
  scores: float32 (2, 4)
  largest difference from the uncut model: D of the largest output
  $ lamina status
  nothing is deployed
