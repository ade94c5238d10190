A model as a bundle, run by Docker Compose.

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ cat >devices.toml <<END
  > [[device]]
  > name = "pi"
  > threads = 1
  > memory = "512MiB"
  > [[device]]
  > name = "desk"
  > threads = 1
  > memory = "1GiB"
  > END
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina benchmark cut --devices devices.toml -r 3 -d 0.05 -l 5 >/dev/null
  $ lamina configure cut pi -c 'must={first:pi,scores:desk}' >/dev/null
  $ docker_state >before

Packed with everything it needs:

  $ lamina bundle cut -o parcel --tar
  wrote parcel: 2 workers, * MiB; start it with 'lamina deploy parcel --target compose' (glob)
  $ ls -A parcel
  .env
  benchmark.json
  docker-compose.yml
  image.tar
  manifest.json
  model.json
  plan.json
  weights.safetensors
  $ cmp cut/weights.safetensors parcel/weights.safetensors
  $ jq -r '.files | keys[]' parcel/manifest.json
  benchmark.json
  docker-compose.yml
  image.tar
  model.json
  plan.json
  weights.safetensors
  $ cat parcel/.env
  # Parameters of docker-compose.yml; an environment variable goes before.
  COMPOSE_PROJECT_NAME=parcel
  LAMINA_IMAGE=lamina:0.1.0
  LAMINA_USER=65532:65532
  LAMINA_HOST=127.0.0.1
  LAMINA_PORT=8765
  LAMINA_PRECISION=f32
  LAMINA_TIMEOUT=30
  LAMINA_MAX_IN_FLIGHT=64
  LAMINA_BATCH_LIMIT=
  LAMINA_BATCH_WINDOW=
  LAMINA_MAX_RATE=0
  LAMINA_MAX_BODY=256MiB
  LAMINA_MAX_CONNECTIONS=256
  LAMINA_MAX_CONNECTIONS_PER_ADDRESS=128
  $ cd parcel && docker-compose config --services | sort && cd ..
  desk
  head
  pi
  $ /usr/bin/python3 "$CASES/check_compose.py" parcel/docker-compose.yml
  as the Compose Specification has it

It serves, and says so when it does; the image comes out of the bundle:

  $ lamina deploy parcel --target compose --port 8123 --stack farm
  deployment farm serves on port 8123; end it with 'lamina clean farm'
  $ curl -s --data-binary @in.npy localhost:8123/input -o served.npy -w '%{http_code}\n'
  200
  $ "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ lamina status | sed 's/  */ /g' | cut -d' ' -f1,3,4,5,7,8
  deployment address process pid
  farm port 8123 desk Up * (glob)
  farm port 8123 head Up * (glob)
  farm port 8123 pi Up * (glob)
  $ docker exec "$(container farm head)" /usr/bin/lamina health
  ready

With the limits of the plan's devices, and no more rights than needed:

  $ docker inspect "$(container farm pi)" --format '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}}'
  1000000000 536870912 true [ALL] [no-new-privileges:true] 65532:65532
  $ cat "/proc/$(docker inspect "$(container farm head)" --format '{{.State.Pid}}')/status" | grep -E '^(Uid|CapEff|NoNewPrivs)'
  Uid:	65532	65532	65532	65532 (esc)
  CapEff:	0000000000000000
  NoNewPrivs:	1

A second of the same name does not start, and takes nothing away from the first:

  $ lamina deploy parcel --target compose --port 8124 --stack farm
  lamina: the deployment 'farm' is there already; end it with 'lamina clean farm' or give another --stack
  [1]

Nor one at a port that is taken; nothing of it stays:

  $ docker_state >during
  $ lamina deploy parcel --target compose --port 8123 --stack second
  lamina: 127.0.0.1:8123 is taken; give another --port
  [1]
  $ docker_state | diff during -
  $ curl -s localhost:8123/health/ready
  ready

Clean takes away all that was made, the image too, and nothing else:

  $ lamina clean farm
  removed 1 deployment
  $ docker_state | diff before -
  $ lamina status
  nothing is deployed

What is named alike but was made by others stays untouched:

  $ docker network create farm_pipeline >/dev/null && docker_state >during
  $ lamina deploy parcel --target compose --stack farm
  lamina: the network 'farm_pipeline' is there already and was not made by lamina; give another --stack
  [1]
  $ docker_state | diff during -
  $ docker network rm farm_pipeline >/dev/null
  $ docker volume create --label com.docker.compose.project=farm precious >/dev/null && docker_state >during
  $ lamina deploy parcel --target compose --stack farm
  lamina: the Compose project 'farm' is there already and was not made by lamina; give another --stack
  [1]
  $ docker_state | diff during -
  $ docker volume rm precious >/dev/null

A bundle altered on its way is refused, here and by the head itself:

  $ cp -r parcel altered && sed -i 's/"latency": /"latency": 1/' altered/plan.json
  $ lamina deploy altered --target compose
  lamina: the bundle 'altered' was altered: 'plan.json' is not the file that was packed
  [1]
  $ rm altered/plan.json && lamina deploy altered --target local
  lamina: the bundle 'altered' lacks 'plan.json'
  [1]
  $ cp parcel/plan.json altered && printf x | dd of=altered/weights.safetensors bs=1 seek=900 conv=notrunc status=none
  $ docker load -qi parcel/image.tar
  Loaded image: lamina:0.1.0
  $ cd altered && docker-compose --log-level ERROR up -d 2>/dev/null
  $ for i in $(seq 50); do docker-compose logs head | grep -q packed && break; sleep 0.2; done
  $ docker-compose logs --no-color head | grep -o "the bundle.*packed" | sort -u
  the bundle '/bundle' was altered: 'weights.safetensors' is not the file that was packed
  $ docker-compose --log-level ERROR down -v 2>/dev/null; cd ..

Compose alone is enough; settings come from .env and the environment:

  $ cd parcel && sed -i 's/^LAMINA_PORT=.*/LAMINA_PORT=8200/' .env && LAMINA_PRECISION=f32 docker-compose up -d 2>/dev/null
  $ for i in $(seq 100); do curl -sf localhost:8200/health/ready && break; sleep 0.1; done
  ready
  $ curl -s --data-binary @../in.npy localhost:8200/input -o served.npy && "$PYTHON" "$CASES/../cli/same.py" served.npy ../keras.npy
  same
  $ docker-compose down 2>/dev/null; rm served.npy; cd ..

What Compose leaves without -v is the deployment's still:

  $ lamina deploy parcel --target compose
  lamina: the deployment 'parcel' is there already; end it with 'lamina clean parcel' or give another --stack
  [1]
  $ lamina clean parcel
  removed 1 deployment
  $ lamina clean parcel
  lamina: there is no deployment 'parcel'; see 'lamina status'
  [3]
  $ docker image rm lamina:0.1.0 >/dev/null && docker_state | diff before -

With certificates nobody is heard who has none, inside and outside:

  $ docker load -qi parcel/image.tar >/dev/null
  $ lamina bundle cut -o sealed --tls >/dev/null
  $ /usr/bin/python3 "$CASES/check_compose.py" sealed/docker-compose.yml
  as the Compose Specification has it
  $ lamina deploy sealed --target compose
  lamina: the bundle 'sealed' lacks 'sealed/secrets/authority.pem': 'lamina cert sealed/secrets' makes certificates
  [3]
  $ cd sealed && docker-compose up -d 2>&1 | grep -o 'bind source path does not exist' | sort -u; docker-compose down -v 2>/dev/null; cd ..
  bind source path does not exist
  $ docker container ls -aq
  $ lamina cert sealed/secrets >/dev/null && lamina deploy sealed --target compose
  lamina: 'sealed/secrets/head.key' can't be read by 65532:65532, whom the containers run as: 'chown 65532:65532 sealed/secrets/head.key', or set LAMINA_USER in sealed/.env to its owner
  [2]
  $ chown 65532:65532 sealed/secrets/head.key sealed/secrets/worker.key
  $ lamina deploy sealed --target compose
  deployment sealed serves on port 8765; end it with 'lamina clean sealed'
  $ curl -sk --data-binary @in.npy https://localhost:8765/input -o /dev/null -w '%{http_code}\n'
  401
  $ curl -s --cacert sealed/secrets/authority.pem --cert sealed/secrets/client.pem --key sealed/secrets/client.key \
  >   --data-binary @in.npy https://localhost:8765/input -o served.npy && "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ docker inspect "$(container sealed pi)" --format '{{range .Mounts}}{{.Destination}} {{end}}' | tr ' ' '\n' | grep secrets | sort
  /secrets/authority.pem
  /secrets/revoked.pem
  /secrets/worker.key
  /secrets/worker.pem
  $ ls "/proc/$(docker inspect "$(container sealed head)" --format '{{.State.Pid}}')/root/bundle/secrets"
  $ docker exec "$(container sealed head)" /usr/bin/lamina health --tls
  ready

Also a client whose certificate was taken back is not:

  $ lamina cert sealed/secrets --revoke client
  sealed/secrets/revoked.pem: give it to every machine that should heed it, beside authority.pem
  $ docker restart -t 5 "$(container sealed head)" >/dev/null
  $ for i in $(seq 100); do curl -sfk https://localhost:8765/health/ready && break; sleep 0.1; done
  ready
  $ curl -s --cacert sealed/secrets/authority.pem --cert sealed/secrets/client.pem --key sealed/secrets/client.key \
  >   --data-binary @in.npy https://localhost:8765/input
  {"error":{"code":"permission_denied","message":"the certificate of 'client' was taken back"}}
  $ lamina clean sealed
  removed 1 deployment

With tokens, who shows none is not heard; they stand in no other file of the bundle and in no argument:

  $ echo short >tokens && lamina bundle cut -o known --tokens tokens
  lamina: tokens, line 1: expected a token of 16 to 512 letters, digits or -._~+/=, such as 'openssl rand -hex 32' prints
  [2]
  $ echo "correct-horse-battery-staple predict" >tokens && lamina bundle cut -o known --tokens tokens >/dev/null
  $ stat -c '%a %u %n' known/secrets known/secrets/*
  700 0 known/secrets
  400 65532 known/secrets/tokens
  $ grep -rl horse known
  known/secrets/tokens
  $ /usr/bin/python3 "$CASES/check_compose.py" known/docker-compose.yml
  as the Compose Specification has it
  $ lamina deploy known --target compose --port 8300 --max-rate 2 --max-body 2MiB
  deployment known serves on port 8300; end it with 'lamina clean known'
  $ ask() { curl -s -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $1" "$2" "${@:3}"; }
  $ ask none localhost:8300/metrics
  401
  $ ask correct-horse-battery-staple localhost:8300/metrics
  403
  $ ask correct-horse-battery-staple localhost:8300/input --data-binary @in.npy
  200
  $ head -c 3000000 /dev/zero >large
  $ for i in $(seq 100); do ask correct-horse-battery-staple localhost:8300/input --data-binary @large >code; grep -q 413 code && break; sleep 0.1; done; cat code
  413
  $ for i in 1 2 3 4 5 6; do ask correct-horse-battery-staple localhost:8300/classes; done | sort -u | tail -1
  429
  $ docker inspect "$(container known head)" | grep -c horse
  0
  [1]

A token that is added counts without a restart:

  $ echo "another-horse-battery-staple" >>known/secrets/tokens
  $ for i in $(seq 100); do ask another-horse-battery-staple localhost:8300/metrics >code; grep -q 200 code && break; sleep 0.1; done; cat code
  200
  $ lamina clean known
  removed 1 deployment
  $ lamina bundle cut -o asked --auth >/dev/null && lamina deploy asked --target compose
  lamina: the bundle 'asked' lacks 'asked/secrets/tokens': write tokens into it, one a line, such as 'openssl rand -hex 32' prints
  [3]
  $ docker image rm lamina:0.1.0 >/dev/null && docker_state | diff before -

A worker that is gone for good is done without, as long as the others have room:

  $ docker load -qi parcel/image.tar >/dev/null
  $ cp -r cut free && jq '.demands.constraints = ""' cut/plan.json >free/plan.json
  $ lamina bundle free -o spare >/dev/null
  $ lamina deploy spare --target compose
  deployment spare serves on port 8765; end it with 'lamina clean spare'
  $ docker stop -t 1 "$(container spare desk)" >/dev/null
  $ for i in $(seq 100); do [ "$(curl -s localhost:8765/status | jq -c '[.ready, .recovery.state, .recovery.lost]')" = '[true,"serving",["desk"]]' ] && break; sleep 0.1; done
  $ curl -s localhost:8765/status | jq -c '[.ready, ([.stages[].worker] | unique), .recovery.recoveries, .recovery.last[0].lost]'
  [true,["pi"],1,["desk"]]
  $ lamina status | sed 's/  */ /g' | grep -cE '^spare [0-9-]+ [0-9:]+ [0-9.]+ s [0-9]+ desk '
  1
  $ curl -s --data-binary @in.npy localhost:8765/input -o served.npy && "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same

Also by a head that starts again meanwhile:

  $ kill -9 "$(docker inspect "$(container spare head)" --format '{{.State.Pid}}')"
  $ for i in $(seq 300); do curl -sf localhost:8765/health/ready && break; sleep 0.1; done
  ready
  $ curl -s --data-binary @in.npy localhost:8765/input -o served.npy && "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ curl -s localhost:8765/status | jq -c '[([.stages[].worker] | unique), .recovery.lost]'
  [["pi"],["desk"]]
  $ docker start "$(container spare desk)" >/dev/null
  $ for i in $(seq 200); do [ "$(curl -s localhost:8765/status | jq -c '[.stages[].worker]')" = '["pi","desk"]' ] && break; sleep 0.1; done
  $ curl -s --data-binary @in.npy localhost:8765/input -o served.npy && "$PYTHON" "$CASES/../cli/same.py" served.npy keras.npy
  same
  $ curl -s localhost:8765/status | jq -c '[[.stages[].worker], .recovery.lost, .recovery.last[-1].reason]'
  [["pi","desk"],[],"'desk' is there again"]
  $ lamina clean spare
  removed 1 deployment
  $ docker image rm lamina:0.1.0 >/dev/null && docker_state | diff before -

A model that was never cut goes to one worker, under PAPDL's name of the command too:

  $ lamina --generate small.keras --out one
  wrote one: 1 workers, * KiB; start it with 'lamina deploy one --target compose' (glob)
  $ jq -c '[.stages[] | [.name, .replicas[].device]]' one/plan.json
  [["first … scores","worker1"]]
  $ lamina deploy one --target compose
  lamina: Docker has no image 'lamina:0.1.0'; 'lamina image build --load' makes it
  [3]
  $ lamina bundle small.keras -o one
  lamina: 'one' is there already; choose another directory
  [1]
  $ jq '.model_hash |= ("0" * 64)' cut/plan.json >wrong.json
  $ lamina bundle small.keras -o other --plan wrong.json
  lamina: 'wrong.json' was made for another model than 'small.keras'; give the directory that was planned as MODEL
  [2]
  $ ls -d other* 2>/dev/null
  [2]
  $ lamina deploy cut --target compose
  lamina: 'cut' has no manifest.json, which 'lamina bundle' writes
  [3]
  $ docker_state | diff before -

Without Docker, without Compose, or with a daemon that can't be used, nothing is begun:

  $ DOCKER_HOST=unix:///nowhere lamina deploy parcel --target compose
  lamina: Docker's daemon can't be reached (*); start it or set DOCKER_HOST (glob)
  [1]
  $ mkdir programs && ln -s "$(command -v lamina)" programs && PATH=$PWD/programs "$PWD/programs/lamina" deploy parcel --target compose
  lamina: there is no program 'docker' on PATH; install Docker's command line
  [3]
  $ ln -s "$(command -v docker)" programs && PATH=$PWD/programs "$PWD/programs/lamina" deploy parcel --target compose 2>&1
  lamina: there is neither 'docker compose' nor a program 'docker-compose'; install Docker Compose
  [3]
  $ chmod 0600 "${DOCKER_HOST#unix://}" && SETPRIV="setpriv --reuid 65534 --regid 65534 --clear-groups"
  $ chmod a+rx . .. "$HOME/.." && DOCKER_CONFIG= HOME=/nonexistent XDG_STATE_HOME=$PWD/none $SETPRIV lamina deploy parcel --target compose 2>&1 | sed 's/(.*)/(…)/'
  lamina: Docker's daemon may not be used by this user (…); add the user to the group 'docker' or set DOCKER_HOST
  $ ls none 2>/dev/null; lamina status
  nothing is deployed
  $ docker_state | diff before -
