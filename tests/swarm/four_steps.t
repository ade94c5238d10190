The four steps over three nodes of unequal limits, one of them behind a slow link.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar; done
  Loaded image: lamina:0.1.0
  Loaded image: lamina:0.1.0
  Loaded image: lamina:0.1.0
  $ docker node update --label-add systems.lamina.cpus=1 --label-add systems.lamina.memory=512MiB vm4
  vm4
  $ docker node update --label-add systems.lamina.memory=1GiB vm5
  vm5
  $ docker node update --label-add systems.lamina.cpus=0.5 --label-add systems.lamina.memory=1GiB pc5
  pc5
  $ outside tc qdisc add dev node3 root tbf rate 100mbit burst 64kbit latency 400ms
  $ outside tc qdisc show dev node3 | cut -d' ' -f2
  tbf
  $ swarm_state >before

Each node measures, within its own limits:

  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --target swarm --insecure -r 3 -d 0.1 -l 5 | tail -1
  wrote cut/benchmark.json
  $ jq -c '.devices[] | [.name, .threads, .cpus, .memory, .address]' cut/benchmark.json
  ["pc5",1,0.5,1073741824,"pc5:7070"]
  ["vm4",1,1,536870912,"vm4:7070"]
  ["vm5",2,0,1073741824,"vm5:7070"]
  $ same_state before
  $ lamina status
  nothing is deployed

A node may be named by its id:

  $ lamina configure cut "$(docker node ls -qf name=vm4)" -c 'must={first:vm4,branch:vm5,pool:vm5,scores:pc5}' | tail -1
  wrote cut/plan.json
  $ jq -c '[.source, [.stages[].replicas[].device]]' cut/plan.json
  ["vm4",["vm4","vm5","pc5"]]

Plans may be tried on the nodes before one is kept:

  $ lamina configure cut vm5 --target swarm --insecure --measure 1
  lamina: plans are measured from this Docker's node, and 'vm5' is another; configure without --measure, or on that node
  [2]
  $ lamina configure cut vm4 --target swarm --insecure --measure 1 -c 'must={first:vm4,branch:vm5,pool:vm5,scores:pc5}' >configured
  $ sed -n '1s/:.*//p;$p' configured
  plan 1 of 1 on the machines
  wrote cut/plan.json
  $ jq -c '[.measured.latency > 0, [.stages[].replicas[].device]]' cut/plan.json
  [true,["vm4","vm5","pc5"]]
  $ same_state before

It serves, with the answers of Keras:

  $ lamina deploy cut --target swarm --insecure --stack farm
  deployment farm serves on http://10.91.0.11:8765, node vm4; end it with 'lamina clean farm'
  $ curl -s 10.91.0.11:8765/connect -o connected -w '%{http_code}\n'
  200
  $ curl -s 10.91.0.11:8765/activate | jq -r '.[] | .status' | sort -u
  200
  $ curl -s --data-binary @in.npy 10.91.0.11:8765/input -o served.npy -w '%{http_code}\n'
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ lamina status | sed 's/  */ /g' | awk 'NR > 1 {print $1, $5, $7, $8, $9}'
  farm farm_head running on vm4
  farm farm_pc5 running on pc5
  farm farm_vm4 running on vm4
  farm farm_vm5 running on vm5
  $ docker service ls --format '{{.Name}} {{.Mode}} {{.Replicas}}' | sort
  farm_head replicated 1/1
  farm_pc5 global 1/1
  farm_vm4 global 1/1
  farm_vm5 global 1/1

With the limits of each node and no more rights than needed:

  $ node pc5 ps -q | xargs -n1 "$SWARM/bin/node" pc5 inspect --format '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}}'
  500000000 1073741824 true [ALL] 65532:65532
  $ docker service ls --format '{{.Name}}' --filter label=systems.lamina.deployment=farm | sort
  farm_head
  farm_pc5
  farm_vm4
  farm_vm5
  $ for name in vm4 vm5 pc5; do node $name ps -q --filter label=systems.lamina.deployment=farm | wc -l; done | xargs
  2 1 1

What it can't do is said, and takes nothing away:

  $ swarm_state >during
  $ lamina deploy cut --target swarm --insecure --stack farm
  lamina: the deployment 'farm' is there already; end it with 'lamina clean farm' or give another --stack
  [1]
  $ lamina deploy cut --target swarm --insecure --stack second 2>&1 | cut -c1-70
  lamina: the port of 'second_head' is taken on its node; give another -
  $ same_state during
  $ curl -s 10.91.0.11:8765/health/ready
  ready

Clean removes exactly what was made:

  $ lamina clean farm
  removed 1 deployment
  $ same_state before
  $ lamina status
  nothing is deployed
