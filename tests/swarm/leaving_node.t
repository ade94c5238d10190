A node that is lost while a deployment is started there: it is named, and nothing stays of what was begun.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar >/dev/null; done
  $ swarm_state >before
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --target swarm --insecure -r 2 -d 0.05 -l 3 >/dev/null
  $ lamina configure cut vm4 -c 'must={first:vm4,scores:vm5}' >/dev/null

One that no longer answers:

  $ kill -STOP "$(cat "$SWARM/vm5/pid")"
  $ lamina deploy cut --target swarm --insecure
  lamina: node 'vm5' left while 'cut_vm5' was started there
  [1]
  $ kill -CONT "$(cat "$SWARM/vm5/pid")"
  $ for i in $(seq 100); do [ "$(docker node inspect --format '{{.Status.State}}' vm5)" = ready ] && break; sleep 0.5; done
  $ same_state before

One that leaves; its network for ports of the Swarm goes with it:

  $ (until docker service ls | grep -q cut_vm5; do sleep 0.05; done; node vm5 swarm leave) >left 2>&1 &
  $ lamina deploy cut --target swarm --insecure
  lamina: node 'vm5' left while 'cut_vm5' was started there
  [1]
  $ wait; cat left
  Node left the swarm.
  $ same_state before 'vm5: .*ingress'
  $ lamina status
  nothing is deployed
