PAPDL's flags, each in both of its forms. There is no Docker here, so what a flag means shows in how a wrong value is refused.

  $ export DOCKER_HOST=unix:///nowhere/docker.sock
  $ "$PYTHON" "$CASES/make_model.py" 2>/dev/null
  $ papdl slice small.keras -o short | tail -1
  wrote short: 4 pieces, 5 legal cuts
  $ papdl slice small.keras --output sliced | tail -1
  wrote sliced: 4 pieces, 5 legal cuts
  $ said() { "$@" 2>&1 | grep -v 'without --certificates' | head -1 | cut -c1-64; }
  $ for flag in -b --model_test_batch_size -r --model_test_number_of_repeats -l --latency_test_count \
  >     -d --bandwidth_test_duration_sec -m --free_memory_multiplier -s --startup_timeout -i --service_idle_detection; do
  >   said papdl benchmark sliced $flag -1
  > done
  ERROR: ValidationError: --batch: Value -1 not in range 1 to 6553
  ERROR: ValidationError: --batch: Value -1 not in range 1 to 6553
  ERROR: ValidationError: --repeats: Value -1 not in range 1 to 10
  ERROR: ValidationError: --repeats: Value -1 not in range 1 to 10
  ERROR: ValidationError: --pings: Value -1 not in range 1 to 1000
  ERROR: ValidationError: --pings: Value -1 not in range 1 to 1000
  ERROR: ValidationError: --bandwidth-seconds: Value -1 not in ran
  ERROR: ValidationError: --bandwidth-seconds: Value -1 not in ran
  ERROR: ValidationError: --memory-multiplier: Value -1 not in ran
  ERROR: ValidationError: --memory-multiplier: Value -1 not in ran
  ERROR: ValidationError: --startup: '-1', expected a number above
  ERROR: ValidationError: --startup: '-1', expected a number above
  ERROR: ValidationError: --service_idle_detection: '-1', expected
  ERROR: ValidationError: --service_idle_detection: '-1', expected

All together, as far as the first thing that needs Docker. Nobody waits for the seconds of -i, which bound what PAPDL waits for.

  $ said timeout 20 papdl benchmark sliced -b 1 -r 2 -d 1 -l 3 -m 0.5 -s 60 -i 6000 -n name -o first
  lamina: Docker's daemon can't be reached (Cannot connect to the 
  $ said timeout 20 papdl benchmark sliced --model_test_batch_size=1 --model_test_number_of_repeats=2 --bandwidth_test_duration_sec=1 \
  >   --latency_test_count=3 --free_memory_multiplier=0.5 --startup_timeout=60 --service_idle_detection=6000 --project_name=name --output=second
  lamina: Docker's daemon can't be reached (Cannot connect to the 

  $ "$PYTHON" "$CASES/make_benchmark.py" sliced
  $ papdl configure sliced a 256 -c 'must={first:b}' -o short_plan | tail -1
  wrote short_plan/plan.json
  $ papdl configure sliced a 256 --search_constraints 'must={first:b}' --output long_plan | tail -1
  wrote long_plan/plan.json
  $ cmp short_plan/plan.json long_plan/plan.json && grep -c 'first:b' long_plan/plan.json
  1
  $ for debug in '-d true' '--debug false'; do said papdl deploy long_plan $debug; done
  lamina: Docker's daemon can't be reached (Cannot connect to the 
  lamina: Docker's daemon can't be reached (Cannot connect to the 
  $ said papdl deploy long_plan --debug perhaps
  ERROR: ConversionError: Could not convert: --debug = perhaps

What clean is asked to remove goes with the rest:

  $ papdl clean -b -B -s -S -o -O -R -I -n -x
  removed 0 deployments
  $ papdl clean --benchmark_images --benchmark_services --slice_images --slice_services --orchestrator_images --orchestrator_services \
  >   --registry_service --iperf_services --network --secrets
  removed 0 deployments
  $ papdl clean --secrets nobody
  lamina: there is no deployment 'nobody'; see 'lamina status'
  [3]
  $ for out in -o --out; do papdl --generate small.keras $out parcel$out | grep -c 'deploy parcel'; done
  1
  1
  $ ls parcel-o | diff - <(ls parcel--out)
