What can't be done is said, with a status that is not 0, and nothing half-written stays.

  $ "$PYTHON" "$CASES/make_model.py" 2>/dev/null
  $ lamina inspect absent.keras
  lamina: can't open 'absent.keras': No such file or directory
  [3]
  $ echo hello >text.keras
  $ lamina inspect text.keras
  lamina: 'text.keras' is no file that Keras writes; expected a model saved by Keras as .keras or .h5
  [2]
  $ head -c 3000 small.keras >short.keras
  $ lamina inspect short.keras 2>&1 | cut -c1-21
  lamina: short.keras: 
  $ lamina inspect .
  lamina: '.' is a directory; expected a model saved by Keras as .keras or .h5
  [2]

Inputs:

  $ lamina predict small.keras absent.npy -o out.npy
  lamina: can't open 'absent.npy': No such file or directory
  [3]
  $ lamina predict small.keras image=in.npy -o out.npy
  lamina: the model has no input 'image', expected one of: picture
  [2]
  $ "$PYTHON" -c 'import numpy; numpy.save("wide.npy", numpy.zeros((1, 16, 17, 1), "float32"))'
  $ lamina predict small.keras wide.npy -o out.npy
  lamina: input 'picture' is float32 (1, 16, 17, 1), expected float32 (batch, 16, 16, 1)
  [2]
  $ lamina predict small.keras in.npy -o out.npy --precision f64
  lamina: precision is 'f64', expected f32, bf16 or auto
  [2]
  $ lamina predict small.keras in.npy -o out.npy --engine abacus 2>&1 | cut -c1-60
  lamina: there is no engine 'abacus': looked for liblamina_ab
  $ ls *.npy
  in.npy
  keras.npy
  wide.npy

Directories:

  $ mkdir taken && echo precious >taken/notes.txt
  $ lamina slice small.keras -o taken
  lamina: '*/taken' holds 'notes.txt', which is not of a sliced model; choose another directory (glob)
  [1]
  $ lamina slice small.keras -o /proc/nothing 2>&1 | cut -c1-36
  lamina: can't create '/proc/nothing'
  $ cat taken/notes.txt
  precious
  $ lamina benchmark taken
  lamina: 'taken' is no sliced model: it lacks model.json, which 'lamina slice' writes
  [3]
  $ lamina slice small.keras -o cut >/dev/null
  $ lamina configure cut pi
  lamina: 'cut' has no benchmark.json, which 'lamina benchmark' writes
  [3]
  $ lamina deploy cut
  lamina: 'cut' has no plan.json, which 'lamina configure' writes
  [3]
  $ lamina deploy cut --batch-limit 0 2>&1 | grep Value
  ERROR: ValidationError: --batch-limit: Value 0 not in range 1 to 65536
  $ lamina deploy cut --target compose --tls --auth tokens 2>&1 | grep -o '^.*means nothing to --target compose'
  lamina: --tls means nothing to --target compose
  $ lamina deploy cut --target compose --heartbeat 100 2>&1 | grep -o '^.*means nothing to --target compose'
  lamina: --heartbeat means nothing to --target compose
  $ lamina deploy cut --target swarm --insecure --host 0.0.0.0
  lamina: --host means nothing to --target swarm
  [2]
  $ lamina deploy cut --stack farm
  lamina: --stack means nothing to --target local
  [2]

A full disk while slicing (a limit on the size of files looks the same to a writer):

  $ (ulimit -f 4; lamina slice small.keras -o full 2>&1; echo "status $?") | cut -c1-19
  lamina: can't write
  status 1
  $ ls -d full* 2>/dev/null
  [2]

Machines:

  $ printf '[[device]]\nname = "a"\nthreads = 0\nmemory = "1GiB"\n' >bad.toml
  $ lamina benchmark cut --devices bad.toml
  lamina: bad.toml, line 1: threads must be a number from 1
  [2]
  $ printf '[[device]]\nname = "gone"\naddress = "127.0.0.1:1"\n' >gone.toml
  $ lamina benchmark cut --devices gone.toml -s 0.3
  lamina: the worker at '127.0.0.1:1' did not answer in time
  [1]
  $ lamina clean nonsense
  lamina: there is no deployment 'nonsense'; see 'lamina status'
  [3]

Plans, for a model that was measured:

  $ printf '[[device]]\nname = "a"\nthreads = 1\nmemory = "512MiB"\n' >one.toml
  $ lamina benchmark cut --devices one.toml -r 2 -d 0.01 -l 3 >/dev/null 2>&1
  $ lamina configure cut nowhere
  lamina: there is no device 'nowhere' in the benchmark, expected one of: a
  [3]
  $ lamina configure cut a -c 'must={nosuch:a}' 2>&1 | cut -c1-59
  lamina: a constraint names slice 'nosuch', expected one of:
  $ lamina configure cut a -c 'must={first:nowhere}'
  lamina: a constraint names device 'nowhere', expected one of: a
  [2]
  $ lamina configure cut a -c 'must=first'
  lamina: constraints break off at 'first', expected '{' as in must={block1_conv1:vm4},mustnot={fc*:vm4}
  [2]
  $ lamina configure cut a -c 'mustnot={first:a}'
  lamina: slice 'first' can run on no machine: constraints forbid 'a'; it is mustnot={first:a} alone that can't be met
  [4]
  $ ls cut/plan.json 2>/dev/null
  [2]

A port that another process listens on:

  $ lamina configure cut a >/dev/null
  $ "$PYTHON" -c 'import socket, time; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(600)' >port &
  $ until [ -s port ]; do sleep 0.05; done; port=$(cat port)
  $ lamina deploy cut --port $port
  lamina: can't listen on 127.0.0.1:*: the port is in use by another process (glob)
  [1]
  $ lamina deploy cut --port $port --detach
  lamina: the deployment did not start: lamina: can't listen on 127.0.0.1:*: the port is in use by another process (glob)
  [1]
  $ lamina worker --name w --listen 127.0.0.1:$port
  lamina: worker 'w' can't listen on '127.0.0.1:*': Address already in use (glob)
  [1]
  $ lamina status
  nothing is deployed
  $ kill %1
