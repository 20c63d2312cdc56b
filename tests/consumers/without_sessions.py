"""Take browser sessions out of a contract: Specmatic knows no key in a cookie, and refuses the whole document."""

import sys
from pathlib import Path

import yaml

file = Path(sys.argv[1])
contract = yaml.safe_load(file.read_text())
for path, item in [*contract["paths"].items()]:
    for method, operation in [*item.items()]:
        if not isinstance(operation, dict) or not operation.get("security"):
            continue
        ways = [way for way in operation["security"] if "session" not in way]
        if ways:
            operation["security"] = ways
        else:
            del item[method]
    if not {"get", "post", "patch", "delete"} & item.keys():
        del contract["paths"][path]
del contract["components"]["securitySchemes"]["session"], contract["components"]["securitySchemes"]["csrf"]
file.write_text(yaml.safe_dump(contract, allow_unicode=True, sort_keys=False, width=1000))
