The source is a worker of the Swarm: its head gets the model from the manager, answers there, and asks who asks.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar >/dev/null; done
  $ lamina cert pki --host 10.91.0.12 >/dev/null
  $ swarm_state >before
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --target swarm --certificates pki -r 2 -d 0.05 -l 3 >/dev/null
  $ lamina configure cut "$(docker node ls -qf name=vm5 | cut -c-9)" -c 'must={first:vm5,scores:pc5}' >/dev/null
  $ echo not-a-secret-token >tokens

What the head would not start with is said before anything is made:

  $ lamina deploy cut --target swarm --certificates pki --auth nowhere
  lamina: can't open 'nowhere': No such file or directory
  [3]
  $ lamina deploy cut --target swarm --insecure --tls
  lamina: --tls needs a certificate: --certificates DIR, which 'lamina cert DIR' made, or --http-cert and --http-key
  [2]
  $ same_state before

Tokens and rates reach the head as a secret and as arguments:

  $ lamina deploy cut --target swarm --certificates pki --auth tokens --max-rate 0.01 --classes classes.txt --stack farm
  deployment farm serves on https://10.91.0.12:8765, node vm5; end it with 'lamina clean farm'
  $ ask="curl -s --cacert pki/authority.pem -w %{http_code}\n https://10.91.0.12:8765"
  $ $ask/input --data-binary @in.npy -o /dev/null
  401
  $ echo 'header = "Authorization: Bearer not-a-secret-token"' >known
  $ $ask/input -K known --data-binary @in.npy -o served.npy
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ $ask/input -K known --data-binary @in.npy -o /dev/null
  429
  $ docker service inspect farm_head | grep -c not-a-secret
  0
  [1]
  $ lamina status >status && sed 's/  */ /g' status | awk '!NF {exit} NR > 1 {print $5, $7, $8, $9}'
  farm_head running on vm5
  farm_keeper running on vm4
  farm_pc5 running on pc5
  farm_vm4 running on vm4
  farm_vm5 running on vm5
  $ tail -1 status
  recoveries of farm are not known here: 10.91.0.12:8765/status answers those alone who show a token or a certificate

When the head is killed, the next one gets the model again:

  $ first=$(node vm5 ps -qf label=com.docker.swarm.service.name=farm_head)
  $ node vm5 kill "$first" >/dev/null
  $ for i in $(seq 100); do [ "$(curl -sk https://10.91.0.12:8765/health/ready)" = ready ] && break; sleep 0.5; done
  $ $ask/input -K known --data-binary @in.npy -o served.npy
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same

Nothing stays on any node:

  $ lamina clean farm
  removed 1 deployment
  $ same_state before
