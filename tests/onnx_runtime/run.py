"""Checks ONNX files by the ONNX project's checker and runs them by ONNX Runtime on the CPU.

Usage: run.py FOLDER. FOLDER/jobs.json lists jobs: a file, whether it is to be checked, its inputs (name, file of raw
contents, element type, shape) and the file for each output. FOLDER/results.json gets, for each job, the outputs' shapes or what went wrong.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime


def run(folder, job):
    path = str(folder / job["file"])
    if job["check"]:
        onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {}
    for port in job["inputs"]:
        contents = numpy.fromfile(folder / port["file"], dtype=port["element"])
        inputs[port["name"]] = contents.reshape(port["shape"])
    shapes = []
    for output, array in zip(job["outputs"], session.run(None, inputs), strict=True):
        numpy.asarray(array).astype("<f8").tofile(folder / output)
        shapes.append(list(numpy.shape(array)))
    return {"shapes": shapes, "ports": [port.shape for port in session.get_inputs() + session.get_outputs()]}


def main():
    folder = pathlib.Path(sys.argv[1])
    results = []
    for job in json.loads((folder / "jobs.json").read_text()):
        try:
            results.append(run(folder, job))
        except Exception as error:  # Each job's own, whatever it is.
            results.append({"error": str(error)[:800]})
    (folder / "results.json").write_text(json.dumps(results))


main()
