Plans for other ends than latency. The machines' figures are given, so that plans are known.

  $ "$PYTHON" "$CASES/make_model.py" 2>/dev/null
  $ lamina slice small.keras -o cut >cut.log
  $ "$PYTHON" "$CASES/make_benchmark.py" cut

Two machines of equal speed share the work, a slow one helps where replicas may:

  $ lamina configure cut a --dry-run | tail -1
  predicted latency 40.001 ms, at most 25 requests/s, for a batch of 1; no plan is faster
  $ lamina configure cut a --objective throughput --dry-run | tail -1
  predicted latency 40.002 ms, at most 50 requests/s, for a batch of 1; no plan of one stage a machine carries more
  $ lamina configure cut a --objective throughput --replicas auto --dry-run | tail -1 | sed 's/.*at most/at most/'
  at most 52.5 requests/s, for a batch of 1; no plan of one stage a machine carries more
  $ lamina configure cut a --objective devices --min-rate 40/s --dry-run | tail -1 | sed 's/.*; //'
  2 machines, no plan of one stage a machine needs fewer
  $ lamina configure cut a --objective memory --dry-run | tail -1 | grep -c 'on one machine, no plan needs less$'
  1

Requests joined into batches: 8 rows take twice as long as one.

  $ lamina configure cut a --objective throughput --batch 1..8 --dry-run | tail -1
  --batch 1..8: batches of 1, 8 were measured and are planned for
  predicted latency 80.003 ms, at most 200 requests/s, joined into batches of 8; no plan of one stage a machine carries more
  $ lamina configure cut a --objective throughput --batch 1..8 --deadline 50ms --dry-run | tail -1
  --batch 1..8: batches of 1, 8 were measured and are planned for
  predicted latency 40.002 ms, at most 50 requests/s, for a batch of 1; no plan of one stage a machine carries more
  $ lamina configure cut a --min-rate 60/s --batch 1..64 | grep -c 'joined into batches of 8; no plan is faster$'
  --batch 1..64: batches of 1, 8 were measured and are planned for; 'lamina benchmark -b 1,8,64' measures more
  1
  $ jq -c '[.batch, .joining.window > 0]' cut/plan.json
  [8,true]
  $ lamina simulate cut --rate 90/s --seconds 100 | sed -n 's/batches of [1-8][.][0-9] requests/batches/p'
  batches
  $ lamina configure cut a --batch 2..7
  lamina: --batch is 2..7, but only batches of 1, 8 were measured; 'lamina benchmark -b 1,2,7,8' measures more
  [2]
  $ lamina configure cut a --batch 4
  lamina: --batch is 4, but only batches of 1, 8 were measured; 'lamina benchmark -b 1,4,8' measures more
  [2]
  $ lamina configure cut a --batch 8 --dry-run | tail -1 | sed 's/; .*//'
  predicted latency 80.002 ms, at most 100 requests/s, joined into batches of 8
  $ lamina configure cut a --batch 8..1
  lamina: --batch is '8..1', expected the smaller size first
  [2]

Constraints:

  $ lamina configure cut a -c 'use={slow},private={1}' | tail -1
  wrote cut/plan.json
  $ jq -c '[.stages[0].replicas[0].device, ([.stages[].replicas[].device] | contains(["slow"]))]' cut/plan.json
  ["a",true]
  $ lamina configure cut a -c 'avoid={a},mustnot={*:b}' --dry-run | sed -n 's/.* slow .*/slow/p' | sort -u
  slow

What can't be met is said, with what is in its way; the plan stays as it is:

  $ cp cut/plan.json before.json
  $ lamina configure cut a --deadline 1s --min-rate 40/s -c 'avoid={b}'
  lamina: no placement of one stage a machine carries 40 requests/s and answers within 1.00 s; what can't be met together: avoid={b} and at least 40 requests/s
  [1]
  $ lamina configure cut a --deadline 5ms
  lamina: no placement answers within 5.00 ms: the fastest possible takes 40.00 ms; it is a latency of at most 5.00 ms alone that can't be met
  [1]
  $ lamina configure cut a --replicas 9
  lamina: --replicas is '9', expected 1 to 3, the number of machines, or auto
  [2]
  $ lamina configure cut a --min-rate fast
  lamina: --min-rate is 'fast', expected more than 0 times a second, such as 20/s
  [2]
  $ for wrong in --deadline=0ms --deadline=-5ms --deadline=5 --min-rate=0/s --min-rate=-3/s --replicas=0 --replicas=-1 --batch=0 --batch=-4; do
  >   lamina configure cut a $wrong
  > done
  lamina: --deadline is '0ms', expected more than 0, such as 50ms
  lamina: --deadline is '-5ms', expected a duration such as 50ms or 2s
  lamina: --deadline is '5', expected a duration such as 50ms or 2s
  lamina: --min-rate is '0/s', expected more than 0 times a second, such as 20/s
  lamina: --min-rate is '-3/s', expected more than 0 times a second, such as 20/s
  lamina: --replicas is '0', expected 1 to 3, the number of machines, or auto
  lamina: --replicas is '-1', expected 1 to 3, the number of machines, or auto
  lamina: --batch is '0', expected a size or a range of sizes such as 1..64
  lamina: --batch is '-4', expected a size or a range of sizes such as 1..64
  [2]
  $ for wrong in --top=0 --top=-1 --measure=-1 --time-limit=0 --time-limit=-1; do lamina configure cut a $wrong 2>&1 | grep ERROR; done
  ERROR: ValidationError: --top: Value 0 not in range 1 to 100
  ERROR: ValidationError: --top: Value -1 not in range 1 to 100
  ERROR: ValidationError: --measure: Value -1 not in range 0 to 100
  ERROR: ValidationError: --time-limit: '0', expected a number above 0
  ERROR: ValidationError: --time-limit: '-1', expected a number above 0
  $ lamina configure cut a -c 'must={first:a},must={first:b}'
  lamina: slice 'first' must be on 'a' (must 'first') and on 'b' (must 'first')
  [2]
  $ lamina configure cut a -c 'luck={a}'
  lamina: constraints begin with 'luck', expected must, mustnot, use, avoid, private, bytes or time
  [2]
  $ cmp cut/plan.json before.json

A benchmark with holes: plans do without what failed and say so, and where there are none they say what failed:

  $ cp cut/benchmark.json whole.json
  $ edit() { jq "$1" whole.json >cut/benchmark.json; }
  $ edit '.measurements[1] |= map({failure: "it was killed"})'
  $ lamina configure cut a --objective throughput --dry-run | cut -c1-60
  'b' is left out, since it can't run 'first', 'branch … join', 'pool … flat', 'scores': it was killed
  stage  slice               machine   memory  hop in, ms  pre
      1  first … scores      a        4.1 MiB       0.001   
         back to the source  a                      0.001
  predicted latency 40.001 ms, at most 25 requests/s, for a ba
  $ lamina configure cut a -c 'use={b}'
  lamina: no placement fits: 'b' is to be used, but can run nothing; what stands in the way together: use={b} and what failed on 'b'
  [4]
  $ edit '.measurements[0][1] = {failure: "out of memory"}'
  $ lamina configure cut a --dry-run | sed -n 's/^ *1 .* b .*/on b/p'
  'a' can't run 'branch … join': out of memory
  on b
  $ edit '.measurements |= map(.[2] = {failure: "it was killed"})'
  $ lamina configure cut a
  lamina: slice 'pool … flat' can run on no machine: on 'a' it failed: it was killed; on 'b' it failed: it was killed; on 'slow' it failed: it was killed
  [4]
  $ edit '.measurements[1][0] = null'
  $ lamina configure cut a -c 'mustnot={first:a},avoid={slow}'
  lamina: slice 'first' can run on no machine: constraints forbid 'a'; on 'b' it failed: no figures; constraints forbid 'slow'; what can't be met together: mustnot={first:a} and avoid={slow}
  [4]
  $ edit '.links[0][1] = {failure: "connection refused"} | .links[1][0].bandwidth = 0'
  $ lamina configure cut a --objective throughput --dry-run | tail -1 | sed 's/.*at most/at most/'
  nothing is sent over the link from 'a' to 'b': it could not be measured: connection refused
  nothing is sent over the link from 'b' to 'a': it has no bandwidth
  at most 25 requests/s, for a batch of 1; no plan of one stage a machine carries more
  $ edit '.links[0] |= map(null)'
  $ lamina configure cut a
  lamina: no placement fits, whatever the memory: there are no links that carry what crosses between stages; what stands in the way is the lack of a link from 'a' to 'a' (it could not be measured: no figures), from 'a' to 'b' (it could not be measured: no figures), from 'a' to 'slow' (it could not be measured: no figures)
  [4]
  $ edit '.links |= map(map(.bandwidth = 0))'
  $ lamina configure cut a 2>&1 | grep -o "lack of a link from 'a' to 'a' (it has no bandwidth), .* and 5 more"
  lack of a link from 'a' to 'a' (it has no bandwidth), * and 5 more (glob)
  $ edit '.devices[0].free_memory = 1e6 | .links[0][1].bandwidth = 0 | .links[0][2].bandwidth = 0'
  $ lamina configure cut a 2>&1 | grep -o 'what stands .*'
  what stands in the way together: the memory of the machines and the lack of a link from 'a' to 'b' (it has no bandwidth), from 'a' to 'slow' (it has no bandwidth)

Figures that are none are refused by name of machine, slice or link:

  $ refused() { edit "$1"; lamina configure cut a; }
  $ refused '.measurements[0][1].median = -1'
  lamina: cut/benchmark.json, 'branch … join' on 'a': 'median' is -1, expected at least 0
  [1]
  $ refused '.measurements[1][0].steady = nan'
  lamina: cut/benchmark.json, 'first' on 'b': 'steady' is null, expected a finite number
  [1]
  $ refused '.links[0][1].bandwidth = -1e9'
  lamina: cut/benchmark.json, link from 'a' to 'b': 'bandwidth' is -1000000000, expected at least 0
  [1]
  $ refused '.links[2][0].round_trip_mean = nan'
  lamina: cut/benchmark.json, link from 'slow' to 'a': 'round_trip_mean' is null, expected a finite number
  [1]
  $ refused '.links[1] |= .[1:]' 2>&1 | grep -o "^.*device 'b': 'links' is\|, expected .*"
  lamina: cut/benchmark.json, device 'b': 'links' is
  , expected a list of 3
  $ refused '.wake[1] = -1'
  lamina: cut/benchmark.json, device 'b': 'wake' is -1, expected at least 0
  [1]
  $ refused '.memory_multiplier = 0'
  lamina: cut/benchmark.json: 'memory_multiplier' is 0, expected more than 0 and at most 1
  [1]
  $ sed 's/"bandwidth": [0-9.]*/"bandwidth": NaN/' whole.json >cut/benchmark.json
  $ lamina configure cut a 2>&1 | cut -c1-46
  lamina: cut/benchmark.json: not valid JSON: [j
  $ cp whole.json cut/benchmark.json
  $ cmp cut/plan.json before.json

Several plans, the reasons, the picture:

  $ lamina configure cut a --top 3 --dry-run | grep -c '^plan [123] of 3$'
  3
  $ lamina configure cut a --objective throughput --explain --svg plan.svg | grep -c -e 'of the latency' -e 'busy at the highest rate' -e 'Between least latency'
  3
  $ "$PYTHON" -c 'import xml.dom.minidom as x; print(x.parse("plan.svg").documentElement.tagName)'
  svg

Wire formats, whose cost in accuracy is measured on random values here:

  $ cp cut/plan.json before.json
  $ lamina configure cut a -c 'use={b}' --wire bf16 | grep -c 'on the wire: .*bf16.*answers differ by'
  1
  $ jq -c '[[.stages[].wire] + [.return_wire] | unique[]], .wire_difference < 0.05' cut/plan.json
  ["bf16"]
  true
  $ lamina simulate cut --seconds 1 | grep -c 'answered, 0 refused, 0 failed'
  1
  $ lamina configure cut a -c 'use={b}' --wire bf16 --calibration picture=in.npy >/dev/null
  $ jq -r '.demands.calibration[]' cut/plan.json | sed "s:^$PWD/::"
  in.npy
  $ lamina bundle cut --plan cut/plan.json -o parcel >/dev/null && cmp in.npy parcel/calibration1.npy
  $ lamina configure cut a -c 'use={b}' --wire auto --wire-tolerance 0 | grep -c '^on the wire'
  1
  $ jq -c '[[.stages[].wire] + [.return_wire] | .[] | select(. != "f32" and . != "lz4")], .wire_difference' cut/plan.json
  []
  0
  $ lamina configure cut a -c 'use={b}' --wire f8 2>&1 | head -1
  ERROR: ValidationError: --wire: f8 not in {f32,bf16,f16,int8,lz4,auto}
  $ lamina configure cut a | grep -c 'on the wire'
  0
  [1]
  $ jq -c '([.stages[].wire] | unique), .wire_difference' cut/plan.json
  ["f32"]
  null
  $ cp before.json cut/plan.json

Under load:

  $ lamina simulate cut --rate 40/s --seconds 100 | head -1 | sed 's/: [0-9]* answered/: N answered/'
  40 requests/s for 100 s on a plan of at most 50: N answered, 0 refused, 0 failed
  $ lamina simulate cut --rate 10/s --fail slow@20s | sed -n 2p
  after 20.00 s 'slow' stops, which the plan does not use

Of a machine that fails, as a deployment would recover: requests wait, up to 64, what lacks is loaded (a piece takes 1 s), then a better plan beside it:

  $ edit '.measurements |= map(map(.load = 1))'
  $ lamina simulate cut --rate 2/s --fail b@20s | sed -n 's/[0-9]* answered/N answered/; s/, [0-9]* requests*.*//; 1,4p' | cut -c1-75
  2 requests/s for 60 s on a plan of at most 50: N answered, 0 refused, 0 fai
  after 20.00 s 'b' stops
  after 21.00 s serves what is loaded soonest: slow → a → a
  after 25.00 s serves the best plan for what is left: a
  $ lamina simulate cut --rate 10/s --fail b@20s --recovery 5 | grep -o 'answered, .*\|^after 2[1-9].*soonest'
  answered, 0 refused, 0 failed
  after 25.00 s serves what is loaded soonest
  $ lamina simulate cut --rate 10/s --fail b@20s --recovery 10 | grep -o ' 0 refused\|0 failed'
  0 failed

and keeps what was asked of the plan:

  $ lamina configure cut a --objective throughput -c 'mustnot={*:slow}' >/dev/null
  $ lamina simulate cut --rate 2/s --fail b@20s | sed -n 3p
  after 22.00 s serves what is loaded soonest: a → a
  $ lamina configure cut a --objective throughput --deadline 50ms >/dev/null
  $ lamina simulate cut --rate 2/s --fail b@20s | sed -n 3p
  after 22.00 s serves what is loaded soonest: a → a
  $ lamina configure cut a --objective throughput -c 'must={first:b}' >/dev/null
  $ lamina simulate cut --rate 10/s --fail b@20s | sed -n 's/.*answered, [0-9]* refused, [1-9][0-9]* failed/some failed/; 1,2p'
  some failed
  after 20.00 s 'b' stops: no plan fits the machines that are left
  $ cp before.json cut/plan.json
  $ lamina simulate cut --fail nobody@1s
  lamina: --fail names device 'nobody', expected one of: a, b, slow
  [2]
  $ lamina simulate cut --plan cut/model.json
  lamina: cut/model.json: * (glob)
  [1]
