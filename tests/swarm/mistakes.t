What goes wrong in a Swarm is said by name, and nothing stays of it.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina slice small.keras -o cut >/dev/null
  $ swarm_state >before

No daemon, no Swarm, not its manager:

  $ DOCKER_HOST=unix:///nowhere lamina benchmark cut --target swarm --insecure
  lamina: Docker's daemon can't be reached (*); start it or set DOCKER_HOST (glob)
  [1]
  $ DOCKER_HOST=unix://$SWARM/vm5/docker.sock lamina benchmark cut --target swarm --insecure
  lamina: this Docker is a Swarm's worker, not its manager; run this on a manager, or set DOCKER_HOST to one
  [1]

No image here, then none on one node:

  $ lamina benchmark cut --target swarm --insecure
  lamina: Docker has no image 'lamina:0.1.0'; 'lamina image build --load' makes it, and every node needs it
  [3]
  $ same_state before
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5; do node $name load -qi image.tar >/dev/null; done
  $ swarm_state >before
  $ lamina benchmark cut --target swarm --insecure
  lamina: node 'pc5' has no image 'lamina:0.1.0'; run 'docker load' there with the file that 'lamina image build' writes, or give it to a registry (--push) and name it by --image
  [3]
  $ same_state before
  $ node pc5 load -qi image.tar >/dev/null

A network encrypted by a kernel that lacks IPsec keeps tasks from starting or carries nothing; either way it ends and says so:

  $ swarm_state >before
  $ lamina benchmark cut --target swarm --insecure --encrypted --startup 5 2>&1 | grep -o 'needs IPsec.*'
  needs IPsec in the kernel of every node (modules esp4 and xfrm_user)
  $ same_state before

What others made under a name is not touched:

  $ docker network create -d overlay farm_pipeline >/dev/null && swarm_state >during
  $ lamina benchmark cut --target swarm --insecure --stack farm
  lamina: the network 'farm_pipeline' is there already and was not made by lamina; give another --stack
  [1]
  $ same_state during
  $ docker network rm farm_pipeline >/dev/null

A node that takes no tasks is left out, and a plan that needs it says so:

  $ lamina benchmark cut --target swarm --insecure -r 2 -d 0.05 -l 3 >/dev/null
  $ jq -r '.devices[] | "\(.name) \(.memory)"' cut/benchmark.json >memory
  $ for name in pc5 vm4 vm5; do echo "$name $(docker node inspect --format '{{.Description.Resources.MemoryBytes}}' $name)"; done | diff memory -
  $ lamina configure cut vm4 -c 'must={first:vm4,scores:vm5}' >/dev/null
  $ docker node update --availability drain vm5
  vm5
  $ lamina deploy cut --target swarm --insecure
  lamina: node 'vm5' takes no tasks
  [1]
  $ docker node update --availability active vm5
  vm5
  $ same_state before
