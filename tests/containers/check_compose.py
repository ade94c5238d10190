"""Whether a file is what the Compose Specification allows, which Compose 2 follows. Usage: check_compose.py FILE

compose-spec.json is the specification's own schema, https://github.com/compose-spec/compose-spec, as it was at
commit 170098b (Apache License 2.0).
"""
import json
import pathlib
import sys

import jsonschema
import yaml

schema = json.loads((pathlib.Path(__file__).parent / "compose-spec.json").read_text())
document = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())
validator = jsonschema.Draft7Validator(schema)
errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(document)]
print("\n".join(errors) or "as the Compose Specification has it")
sys.exit(bool(errors))
