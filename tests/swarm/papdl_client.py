"""papdl_client.py URL INPUT.npy ANSWER.npy: asks as the client in PAPDL's README does, but with Python's own library."""
import io
import sys
import urllib.request

import numpy

url, source, answer = sys.argv[1:]
buffer = io.BytesIO()
numpy.save(buffer, numpy.load(source))
with urllib.request.urlopen(urllib.request.Request(f"{url}/input", data=buffer.getvalue()), timeout=120) as response:
    numpy.save(answer, numpy.load(io.BytesIO(response.read())))
