PAPDL's own session under its own name: an artifact a step, the node's id, INPUT_SIZE, and what its client does.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar >/dev/null; done
  $ swarm_state >before
  $ papdl slice small.keras -o sliced | tail -1
  wrote sliced: 4 pieces, 5 legal cuts
  $ papdl benchmark sliced -o benchmarked -r 2 -d 0.05 -l 3 -m 0.5 -s 60 2>&1 >/dev/null
  papdl: without --certificates nodes talk without TLS, and whoever reaches a port may ask
  $ id=$(docker node ls -qf name=vm4)
  $ papdl configure benchmarked "$id" 255 -o configured
  lamina: INPUT_SIZE is 255, expected 256: the numbers of a batch of 1
  [2]
  $ papdl configure sliced "$id" 256 -o configured
  lamina: 'sliced' has no benchmark.json, which 'lamina benchmark' writes
  [3]
  $ papdl configure benchmarked "$id" 256 -o configured -c 'must={first:vm4,scores:pc5}' | tail -1
  wrote configured/plan.json
  $ ls sliced benchmarked configured
  benchmarked:
  benchmark.json
  model.json
  weights.safetensors
  
  configured:
  benchmark.json
  model.json
  plan.json
  weights.safetensors
  
  sliced:
  model.json
  weights.safetensors
  $ papdl deploy configured 2>/dev/null
  deployment configured serves on http://10.91.0.11:8765, node vm4; end it with 'lamina clean configured'
  $ curl -s 10.91.0.11:8765/connect -o /dev/null -w '%{http_code}\n'
  200
  $ curl -s 10.91.0.11:8765/activate | jq -r '.[] | .status' | sort -u
  200
  $ "$PYTHON" "$CASES/papdl_client.py" http://localhost:8765 in.npy served.npy
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ papdl clean -b -s -o
  removed 1 deployment
  $ same_state before
  $ papdl dance 2>&1 | head -1
  ERROR: RequiredError: A subcommand is required
