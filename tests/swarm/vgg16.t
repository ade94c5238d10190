The session of PAPDL's README: VGG16 over a node of 1 core and 2 GB, one of 2 cores and 4 GB, and one with all there is.

  $ "$PYTHON" "$CASES/make_vgg16.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar >/dev/null; done
  $ docker node update --label-add systems.lamina.cpus=1 --label-add systems.lamina.memory=2GB vm4 >/dev/null
  $ docker node update --label-add systems.lamina.cpus=2 --label-add systems.lamina.memory=4GB vm5 >/dev/null
  $ swarm_state >before
  $ lamina slice vgg16.keras -o vgg16 | tail -1
  wrote vgg16: 21 pieces, 21 legal cuts
  $ lamina benchmark vgg16 --target swarm --insecure -r 3 -d 0.2 -l 10 | tail -1
  wrote vgg16/benchmark.json
  $ jq -c '.devices[] | [.name, .cpus, .memory]' vgg16/benchmark.json | tail -2
  ["vm4",1,2000000000]
  ["vm5",2,4000000000]

Where it is best, and then a part on each node, which has to hold its weights:

  $ for must in '' 'must={block1_*:vm4,block5_*:vm5,predictions:pc5}'; do
  >   lamina configure vgg16 "$(docker node ls -qf name=vm4)" -c "$must" | tail -1
  >   lamina deploy vgg16 --target swarm --insecure
  >   curl -s 10.91.0.11:8765/connect -o /dev/null -w '%{http_code}\n'
  >   curl -s 10.91.0.11:8765/activate | jq -r '.[] | .status' | sort -u
  >   "$PYTHON" "$CASES/papdl_client.py" http://localhost:8765 in.npy served.npy
  >   "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  >   lamina clean vgg16
  > done
  wrote vgg16/plan.json
  deployment vgg16 serves on http://10.91.0.11:8765, node vm4; end it with 'lamina clean vgg16'
  200
  200
  same
  removed 1 deployment
  wrote vgg16/plan.json
  deployment vgg16 serves on http://10.91.0.11:8765, node vm4; end it with 'lamina clean vgg16'
  200
  200
  same
  removed 1 deployment
  $ same_state before
