Branches of a model on several machines at once. The machines' figures are given, so that branches pay.

  $ "$PYTHON" "$CASES/make_branching_models.py" 2>/dev/null
  $ for model in towers inception nasnet; do lamina slice $model.keras -o $model >/dev/null && "$PYTHON" "$CASES/make_branches_benchmark.py" $model; done
  $ jq -c '[.blocks[].branches | length]' towers/model.json inception/model.json
  [2,2]
  [4,4,4,3,4,4,4,4,3,4,4]

Where they may, they run at once; the plan says so:

  $ for model in towers inception nasnet; do lamina configure $model a | grep -c -e ' ∥ ' -e 'no plan is faster'; done | awk '{print ($1 > 4)}'
  1
  1
  1
  $ lamina configure towers a | sed -n 's/.*\(from, ms\).*/\1/p'
  from, ms
  $ lamina configure towers a --no-branches --dry-run | grep -c ' ∥ '
  0
  [1]
  $ for objective in throughput 'latency --min-rate 15/s'; do lamina configure towers a --objective $objective --dry-run | grep -c ' ∥ ' | awk '{print ($1 > 1)}'; done
  1
  1
  $ lamina configure towers a --dry-run --explain --svg towers.svg | grep -c -e 'begins, ms' -e 'without it, ms' -e ' ∥ b'
  [345] (re)
  $ "$PYTHON" -c 'import xml.dom.minidom as x; print(x.parse("towers.svg").documentElement.tagName)'
  svg
  $ for seconds in 5 5; do lamina simulate towers --rate 1/s --seconds 60 | sed -n 's/.*p50 \([^,]*\),.*; \(.*\) for one request alone/\1 is \2/p'; done | awk '{print ($1 == $4)}'
  1
  1
  $ cp towers/benchmark.json one.json
  $ jq '.batch = 1 | . + {other_batches: [{batch: 8, cut_bytes: [.cut_bytes[] * 8], fusion, steady_fusion, measurements, blocks}]}' one.json >towers/benchmark.json
  $ lamina configure towers a --batch 8 | grep -c 'joined into batches of 8'
  1
  $ lamina simulate towers --rate 60/s --seconds 10 | sed -n 's/: [0-9]* answered/: N answered/; 1p'
  60 requests/s for 10 s on a plan of at most 200: N answered, 0 refused, 0 failed
  $ cp one.json towers/benchmark.json && lamina configure towers a >/dev/null
  $ lamina simulate towers --rate 5/s --seconds 60 --fail b@20s --recovery 1 | sed -n '1s/.*: \([0-9]*\) answered, .*/\1/p' | awk '{print ($1 > 200)}'
  1

Constraints put branches where they are wanted, by their layers:

  $ lamina configure towers a -c 'must={left_conv*:b,right_conv*:c,mix:a,kind_conv*:c,size_conv*:b}' | tail -1
  wrote towers/plan.json
  $ jq -c '[.stages[] | [.branches, .replicas[0].device]]' towers/plan.json
  [[[0],"b"],[[1],"c"],[null,"a"],[[1],"b"],[[0],"c"]]

Answers are Keras's:

  $ serve() { lamina deploy $1 --port 0 --detach | sed 's/.*:\([0-9]*\)$/\1/'; }
  $ port=$(serve towers)
  $ "$PYTHON" -c 'import numpy; numpy.savez("in.npz", left=numpy.load("towers.in0.npy"), right=numpy.load("towers.in1.npy"))'
  $ curl -s --data-binary @in.npz "localhost:$port/input" -o out.npz
  $ "$PYTHON" -c 'import numpy; out = numpy.load("out.npz"); numpy.save("kinds.npy", out["kinds"]); numpy.save("size.npy", out["size"])'
  $ "$PYTHON" "$CASES/same.py" kinds.npy towers.keras0.npy && "$PYTHON" "$CASES/same.py" size.npy towers.keras1.npy
  same
  same
  $ curl -s "localhost:$port/workerhealthcheck" | jq -c 'map_values(.status)'
  {"a":200,"b":200,"b#2":200,"c":200,"c#2":200}
  $ lamina clean
  removed 1 deployment
  $ for model in inception nasnet; do
  >   port=$(serve $model)
  >   curl -s --data-binary @$model.in0.npy "localhost:$port/input" -o out.npy
  >   "$PYTHON" "$CASES/same.py" out.npy $model.keras0.npy
  >   lamina clean
  > done
  same
  removed 1 deployment
  same
  removed 1 deployment
  $ pgrep -f "$PWD" || echo none
  none
