A worker's container is killed: what is left answers, and the node is taken back when the Swarm has started it again.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar >/dev/null; done
  $ swarm_state >before
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --target swarm --insecure -r 2 -d 0.05 -l 3 >/dev/null
  $ lamina configure cut vm4 -c 'must={first:vm4,scores:vm5}' >/dev/null
  $ lamina deploy cut --target swarm --insecure --stack farm
  deployment farm serves on http://10.91.0.11:8765, node vm4; end it with 'lamina clean farm'
  $ node vm5 kill "$(node vm5 ps -qf label=com.docker.swarm.service.name=farm_vm5)" >/dev/null
  $ for i in $(seq 5); do curl -s --data-binary @in.npy 10.91.0.11:8765/input -o served.npy -w '%{http_code}\n' --retry 20 --retry-delay 1; done
  200
  200
  200
  200
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ for i in $(seq 60); do lost=$(curl -s 10.91.0.11:8765/status | jq -c '.recovery.lost'); [ "$lost" = '[]' ] && break; sleep 1; done; echo "$lost"
  []

A node that is drained holds nothing, and nothing waits for it; it is taken back when it takes tasks again.

  $ docker node update --availability drain vm5
  vm5
  $ for i in $(seq 60); do lost=$(curl -s 10.91.0.11:8765/status | jq -c '.recovery.lost'); [ "$lost" = '["vm5"]' ] && break; sleep 1; done; echo "$lost"
  ["vm5"]
  $ service() { docker service ls --filter name=farm_vm5 --format '{{.Mode}} {{.Replicas}}'; }
  $ for i in $(seq 60); do [ "$(service)" = 'global 0/0' ] && break; sleep 0.5; done; service
  global 0/0
  $ docker node update --availability active vm5
  vm5
  $ for i in $(seq 60); do lost=$(curl -s 10.91.0.11:8765/status | jq -c '.recovery.lost'); [ "$lost" = '[]' ] && break; sleep 1; done; echo "$lost"
  []
  $ curl -s --data-binary @in.npy 10.91.0.11:8765/input -o served.npy -w '%{http_code}\n' --retry 20 --retry-delay 1
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ lamina clean farm
  removed 1 deployment
  $ same_state before
