The image that workers and heads run from, made by Lamina alone and run by a real Docker.

Without a daemon; the same bytes each time:

  $ DOCKER_HOST=unix:///nowhere lamina image build -o image.tar
  lamina:0.1.0: * files of * MiB, packed * MiB, sha256:* (glob)
  wrote image.tar
  $ lamina image build -o again.tar >/dev/null && cmp image.tar again.tar

Also by a checkout in another folder, a second later, of files with other dates, by a user with other habits:

  $ BUILD=$(dirname "$(command -v lamina)")
  $ mkdir -p elsewhere/build/release && cp "$BUILD/lamina" "$BUILD/liblamina_openvino.so" elsewhere/build/release
  $ ln -s "$BUILD/../../.deps" elsewhere/.deps && touch -d 2001-02-03 elsewhere/build/release/* && sleep 1
  $ (cd elsewhere && umask 077 && TZ=Asia/Tokyo LC_ALL=C ./build/release/lamina image build -o ../again.tar >/dev/null)
  $ cmp image.tar again.tar && rm -r elsewhere

One tar is an OCI layout, whose blobs are named by their content, and what Docker reads:

  $ mkdir layout && tar -C layout -xf image.tar && ls layout
  blobs
  index.json
  manifest.json
  oci-layout
  $ (cd layout/blobs/sha256 && sha256sum * | awk '$1 != $2')
  $ jq -r '.manifests[0].digest' layout/index.json | sed 's#sha256:#layout/blobs/sha256/#' | xargs jq -r '.layers[].mediaType, .config.mediaType'
  application/vnd.oci.image.layer.v1.tar+gzip
  application/vnd.oci.image.layer.v1.tar+gzip
  application/vnd.oci.image.config.v1+json

At most 150 MB, no shell:

  $ jq -r '.[0].Layers[]' layout/manifest.json | while read -r layer; do tar -tvzf "layout/$layer"; done >content
  $ awk '{sum += $3} END {print (sum < 150e6 ? "small" : sum)}' content
  small
  $ grep -cE '/(ba)?sh$|busybox' content
  0
  [1]

It loads, and runs as nobody in particular, with nothing that it could write to:

  $ docker_state >before
  $ lamina image build --load | tail -1
  loaded lamina:0.1.0
  $ docker image ls --format '{{.Repository}}:{{.Tag}}'
  lamina:0.1.0
  $ SAFE="--read-only --cap-drop ALL --security-opt no-new-privileges --network none"
  $ docker run --rm $SAFE lamina:0.1.0 --version
  lamina 0.1.0
  $ docker image inspect lamina:0.1.0 --format '{{.Config.User}} {{.Config.StopSignal}} {{.Config.Labels}}'
  65532:65532 SIGTERM map[systems.lamina.image:0.1.0]

A model answers inside as it does outside:

  $ "$PYTHON" "$CASES/../cli/make_model.py" 2>/dev/null
  $ mkdir out && chmod 777 out
  $ docker run --rm $SAFE --tmpfs /tmp -v "$PWD:/in:ro" -v "$PWD/out:/out" lamina:0.1.0 \
  >   predict /in/small.keras /in/in.npy -o /out/inside.npy >/dev/null
  $ lamina predict small.keras in.npy -o outside.npy >/dev/null && cmp out/inside.npy outside.npy

The first process of a container ends when asked to:

  $ docker run -d --name worker $SAFE --tmpfs /store:uid=65532 lamina:0.1.0 worker --name pi --listen 0.0.0.0:7070 --insecure >/dev/null
  $ for i in $(seq 100); do docker logs worker 2>&1 | grep -q listening && break; sleep 0.1; done
  $ docker stop -t 20 worker >/dev/null; docker inspect worker --format '{{.State.ExitCode}}'
  0
  $ docker rm worker >/dev/null

A registry takes it, and Docker keeps no trace of that:

  $ lamina image build --push localhost:5000 | tail -1
  pushed localhost:5000/lamina:0.1.0
  $ curl -s localhost:5000/v2/lamina/tags/list
  {"name":"lamina","tags":["0.1.0"]}
  $ docker image ls --format '{{.Repository}}:{{.Tag}}'
  lamina:0.1.0
  $ docker image rm lamina:0.1.0 >/dev/null && docker_state | diff before -
  $ docker pull -q localhost:5000/lamina:0.1.0
  localhost:5000/lamina:0.1.0
  $ docker image rm localhost:5000/lamina:0.1.0 >/dev/null

What can't be done is said:

  $ DOCKER_HOST=unix:///nowhere lamina image build --load
  lamina: Docker's daemon can't be reached (*); start it or set DOCKER_HOST (glob)
  [1]
  $ mkdir programs && ln -s "$(command -v lamina)" programs && PATH=$PWD/programs "$PWD/programs/lamina" image build --load
  lamina: there is no program 'docker' on PATH; install Docker's command line
  [3]
  $ lamina image build --push localhost:1 2>&1 | head -1 | cut -c1-20
  lamina: docker push:
  $ lamina image build --engine abacus -o wrong.tar 2>&1 | cut -c1-34
  lamina: there is no engine 'abacus
  $ ls wrong.tar lamina.oci.tar 2>/dev/null; docker_state | diff before -
