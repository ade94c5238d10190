Certificates, who may listen where, and a front end that wants to know who asks.

  $ "$PYTHON" "$CASES/make_model.py" 2>/dev/null
  $ lamina cert pki
  pki/authority.pem (key pki/authority.key: keep it here)
  pki/head.pem, pki/head.key: a process's, for 365 days
  pki/worker.pem, pki/worker.key: a process's, for 365 days
  pki/client.pem, pki/client.key: a client's, for 365 days
  $ stat -c '%a %n' pki pki/*.key
  700 pki
  600 pki/authority.key
  600 pki/client.key
  600 pki/head.key
  600 pki/worker.key
  $ openssl verify -x509_strict -CAfile pki/authority.pem pki/head.pem pki/worker.pem pki/client.pem
  pki/head.pem: OK
  pki/worker.pem: OK
  pki/client.pem: OK
  $ lamina cert pki
  lamina: 'pki/head.pem' exists; certificates are never overwritten
  [1]
  $ lamina cert pki --client alice --days 30
  pki/alice.pem, pki/alice.key: a client's, for 30 days
  $ lamina cert pki --client alice
  lamina: 'pki/alice.key' exists; certificates are never overwritten
  [1]
  $ lamina cert pki --client ../mallory 2>&1 | cut -c1-54
  lamina: the name of a certificate is '../mallory', exp
  $ lamina cert empty --client bob
  lamina: can't open 'empty/authority.pem': No such file or directory
  [3]

Outside the loopback nobody listens by mistake:

  $ lamina worker --name w --store store --listen 0.0.0.0:0
  lamina: worker 'w' can't listen on '0.0.0.0:0' without certificates: others could get in from there. Make some by 'lamina cert DIR' and give --certificates DIR to the head and to all workers, or say --insecure where the network keeps strangers away
  [2]
  $ lamina worker --name w --store store --listen 0.0.0.0:0 --certificates empty
  lamina: can't open 'empty/authority.pem': No such file or directory
  [3]
  $ lamina slice small.keras -o cut >/dev/null
  $ printf '[[device]]\nname = "a"\nthreads = 1\nmemory = "512MiB"\n' >one.toml
  $ lamina benchmark cut --devices one.toml -r 2 -d 0.01 -l 3 --certificates pki >/dev/null 2>&1
  $ lamina configure cut a >/dev/null
  $ lamina deploy cut --port 0 --head-listen 0.0.0.0:0 2>&1 | grep -o "the head can't listen on '0.0.0.0:0' without certificates"
  the head can't listen on '0.0.0.0:0' without certificates
  $ lamina deploy cut --port 0 --host 0.0.0.0 2>&1 | grep -o "the HTTP front end can't listen on '0.0.0.0:0' for everybody"
  the HTTP front end can't listen on '0.0.0.0:0' for everybody
  $ lamina deploy cut --tls 2>&1 | cut -c1-35
  lamina: --tls needs a certificate: 
  $ echo too-short >tokens
  $ lamina deploy cut --port 0 --auth tokens 2>&1 | cut -c1-53
  lamina: tokens, line 1: expected a token of 16 to 512

A deployment by TLS throughout:

  $ openssl rand -hex 32 >tokens
  $ lamina deploy cut --port 0 --detach --certificates pki --tls --auth tokens --auth-certificates --max-body 1MiB >started 2>&1
  $ url=$(grep -o 'https://.*' started)
  $ ask() { curl -sS --max-time 20 --cacert pki/authority.pem -o answer -w '%{http_code}\n' "$@"; }
  $ ask $url/health/ready
  200
  $ ask $url/metrics
  401
  $ cat answer
  {"error":{"code":"unauthenticated","message":"expected 'Authorization: Bearer TOKEN' with a token that this server knows, or a client's certificate where it serves HTTPS"}}
  $ ask -H "Authorization: Bearer $(cat tokens)" $url/metrics
  200
  $ ask --cert pki/alice.pem --key pki/alice.key --data-binary @in.npy $url/input
  200
  $ ask --cert pki/worker.pem --key pki/worker.key --data-binary @in.npy $url/input
  403
  $ head -c 1100000 /dev/zero | ask --cert pki/alice.pem --key pki/alice.key --data-binary @- $url/input
  413

Tokens and certificates come and go while it serves:

  $ until_it_is() { for i in $(seq 100); do ask "${@:2}" >code; grep -q "$1" code && break; sleep 0.1; done; cat code; }
  $ cp tokens first && echo 'good-for-watching-alone watch' >>tokens
  $ until_it_is 200 -H "Authorization: Bearer good-for-watching-alone" $url/metrics
  200
  $ ask -H "Authorization: Bearer good-for-watching-alone" --data-binary @in.npy $url/input; cat answer
  403
  {"error":{"code":"permission_denied","message":"this token is there to watch, and not for this"}}
  $ cp first tokens && until_it_is 401 -H "Authorization: Bearer good-for-watching-alone" $url/metrics
  401
  $ lamina cert pki --revoke alice
  pki/revoked.pem: give it to every machine that should heed it, beside authority.pem
  $ openssl crl -in pki/revoked.pem -CAfile pki/authority.pem -noout 2>&1
  verify OK
  $ until_it_is 403 --cert pki/alice.pem --key pki/alice.key $url/metrics; cat answer
  403
  {"error":{"code":"permission_denied","message":"the certificate of 'alice' was taken back"}}
  $ ask --cert pki/client.pem --key pki/client.key $url/metrics
  200
  $ lamina cert pki --revoke nobody
  lamina: can't open 'pki/nobody.pem': No such file or directory
  [3]
  $ grep -c "$(cat tokens)" "$XDG_STATE_HOME"/lamina/deployments/*/head.log
  0
  [1]
  $ lamina clean >/dev/null

Strangers who open connections find the most descriptors that the system grants:

  $ (ulimit -Sn 100; exec lamina worker --name w --store store --listen 127.0.0.1:0 --address-file there 2>/dev/null) &
  > WORKER=$!; for i in $(seq 100); do [ -e there ] && break; sleep 0.1; done
  $ awk '/open files/ {print ($4 == $5 ? "all" : $4)}' /proc/$WORKER/limits
  all
  $ kill $WORKER && wait $WORKER

Weights that were damaged since the model was cut are not served:

  $ "$PYTHON" -c 'f = open("cut/weights.safetensors", "r+b"); f.seek(-3, 2); f.write(b"???")'
  $ lamina deploy cut --port 0 2>&1 | grep -o "cut/weights.safetensors: weight '.*' is damaged"
  cut/weights.safetensors: weight 'score*' is damaged (glob)
