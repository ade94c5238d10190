A registry in the stack: nodes that have no image get it there, by TLS and with a password that nobody types.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build --load | tail -1
  loaded lamina:0.1.0
  $ lamina cert pki --host 10.91.0.11 >/dev/null
  $ lamina slice small.keras -o cut >/dev/null
  $ swarm_state | grep -v ': image' >before
  $ node vm4 image ls --all --no-trunc --digests >images

What is missing is said, and nothing stays of the attempt:

  $ lamina benchmark cut --target swarm --insecure --with-registry
  lamina: --with-registry needs --certificates DIR with a certificate for the registry: 'lamina cert DIR --server registry --host 10.91.0.11'
  [3]
  $ lamina cert pki --server registry --host 10.91.0.11
  pki/registry.pem, pki/registry.key: a server's, for 365 days
  $ lamina benchmark cut --target swarm --certificates pki --with-registry 2>&1 | grep -o 'every node must.*'
  every node must have 'pki/authority.pem' as /etc/docker/certs.d/10.91.0.11:5000/ca.crt
  $ trust() { mkdir -p "$SWARM/$1/etc/certs.d/10.91.0.11:5000" && cp pki/authority.pem "$SWARM/$1/etc/certs.d/10.91.0.11:5000/ca.crt"; }
  $ trust vm4
  $ lamina benchmark cut --target swarm --certificates pki --with-registry 2>&1 | grep -o "has no image\|every node must.*"
  has no image
  every node must have 'pki/authority.pem' as /etc/docker/certs.d/10.91.0.11:5000/ca.crt
  $ trust vm5
  $ trust pc5
  $ swarm_state | grep -v ': image' | diff before -
  $ node vm4 image ls --all --no-trunc --digests | diff images -
  $ node pc5 image ls -q

With it, nodes get the image:

  $ lamina benchmark cut --target swarm --certificates pki --with-registry -r 2 -d 0.05 -l 3 2>&1 | tail -1
  wrote cut/benchmark.json
  $ node pc5 image ls --no-trunc -q | grep -c "$(node vm4 image ls --no-trunc -q lamina)"
  1
  $ lamina configure cut vm5 -c 'must={first:vm5,scores:pc5}' >/dev/null
  $ lamina deploy cut --target swarm --certificates pki --with-registry --registry-port 5001 --stack farm 2>&1 | grep -o "every node must.*"
  every node must have 'pki/authority.pem' as /etc/docker/certs.d/10.91.0.11:5001/ca.crt
  $ lamina deploy cut --target swarm --certificates pki --with-registry --stack farm
  deployment farm serves on https://10.91.0.12:8765, node vm5; end it with 'lamina clean farm'
  $ curl -s --cacert pki/authority.pem --cert pki/client.pem --key pki/client.key --resolve vm5:8765:10.91.0.12 -k --data-binary @in.npy https://10.91.0.12:8765/input -o served.npy -w '%{http_code}\n'
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same

Strangers and wrong passwords get nothing, and no password stands in what Docker shows or Lamina keeps:

  $ curl -s --cacert pki/authority.pem https://10.91.0.11:5000/v2/_catalog -o /dev/null -w '%{http_code}\n'
  401
  $ curl -s --cacert pki/authority.pem -u lamina:wrong https://10.91.0.11:5000/v2/_catalog -o /dev/null -w '%{http_code}\n'
  401
  $ curl -s http://10.91.0.11:5000/v2/_catalog -o /dev/null -w '%{http_code}\n'
  400
  $ (docker service inspect farm_registry farm_head farm_pc5; docker service logs farm_registry 2>&1; grep -r '' "$XDG_STATE_HOME") | grep -ciE '\$2y|"auth"'
  0
  [1]
  $ ls -A "$HOME" | grep docker
  [1]

Clean removes it all, but for the image that nodes have got:

  $ lamina clean farm
  removed 1 deployment
  $ for i in $(seq 60); do swarm_state | grep -v ': image' | diff -q before - >/dev/null && break; sleep 0.5; done; swarm_state | grep -v ': image' | diff before -
  $ node vm4 image ls --all --no-trunc --digests | diff images -
