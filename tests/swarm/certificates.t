Certificates as secrets of the Swarm: nodes hear each other alone, and the head serves HTTPS to clients it knows.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ lamina image build -o image.tar >/dev/null
  $ for name in vm4 vm5 pc5; do node $name load -qi image.tar >/dev/null; done
  $ lamina cert pki --host 10.91.0.11 >/dev/null
  $ swarm_state >before
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --target swarm --certificates pki -r 2 -d 0.05 -l 3 | tail -1
  wrote cut/benchmark.json
  $ same_state before
  $ lamina configure cut vm4 -c 'must={first:vm4,scores:vm5}' >/dev/null
  $ lamina deploy cut --target swarm --certificates pki --stack farm
  deployment farm serves on https://10.91.0.11:8765, node vm4; end it with 'lamina clean farm'
  $ known="--cacert pki/authority.pem --cert pki/client.pem --key pki/client.key"
  $ curl -s $known --data-binary @in.npy https://10.91.0.11:8765/input -o served.npy -w '%{http_code}\n'
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same

A stranger learns nothing, and no key stands in what Docker shows:

  $ curl -s --cacert pki/authority.pem --data-binary @in.npy https://10.91.0.11:8765/input -o /dev/null -w '%{http_code}\n'
  401
  $ docker service inspect farm_head farm_vm4 farm_vm5 | grep -c 'PRIVATE KEY'
  0
  [1]

  $ lamina clean farm
  removed 1 deployment
  $ same_state before
