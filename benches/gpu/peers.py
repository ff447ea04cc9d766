"""Times PyTorch on the work of wgrad's parts `throughput` and `training`, on the same GPU.

    python3 peers.py throughput|training OUT SECONDS

Reads which work from OUT/parts/throughput.json or OUT/parts/training.json and writes OUT/parts/torch-throughput.json or
OUT/parts/torch-training.json. Exits with 77 and one line that says why if PyTorch can't run here on a GPU.
"""

import json
import os
import statistics
import sys
import time

LEFT_OUT = 77
STARTED = time.monotonic()
# The share of the time after which no further measurement starts.
SHARE = 0.85
# Copies of the operands are together larger than a cache.
BYTES, MOST_COPIES = 160 << 20, 8


def leave_out(why):
    print(why)
    sys.exit(LEFT_OUT)


def load_work(out, part, field):
    path = os.path.join(out, "parts", part + ".json")
    try:
        with open(path, encoding="utf-8") as file:
            work = json.load(file).get(field)
    except OSError:
        work = None
    if not work:
        leave_out(f"the part {part} left no list of work")
    return work


class Results:
    """Rows of a part, written anew as they come."""

    def __init__(self, out, part, seconds, modes):
        self.path = os.path.join(out, "parts", part + ".json")
        self.seconds = seconds
        self.content = {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "device": torch.cuda.get_device_name(),
            "modes": modes,
            "rows": [],
            "notes": [],
        }

    def row(self, **fields):
        print(json.dumps(fields), flush=True)
        self.content["rows"].append(fields)
        self.write()

    def write(self):
        temporary = self.path + ".tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.content, file, indent=1)
        os.replace(temporary, self.path)

    def is_past(self):
        if time.monotonic() - STARTED < SHARE * self.seconds:
            return False
        self.content["notes"].append("The time ended before PyTorch had done all work.")
        self.write()
        return True


def set_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def median_seconds(runs):
    """The median time of one run by the GPU's clock. `runs` do the same on different operands."""
    for run in runs:
        run()
        run()
    torch.cuda.synchronize()
    start = time.monotonic()
    runs[0]()
    torch.cuda.synchronize()
    estimate = max(time.monotonic() - start, 1e-5)
    count = max(3 * len(runs), min(60, int(0.1 / estimate)))
    events = []
    for i in range(count):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        runs[i % len(runs)]()
        end.record()
        events.append((begin, end))
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in events) / 1e3


# A mode's name, whether it is TF32, whether it is f16, and whether channels come last.
MODES = [
    ("f32", False, False, False),
    ("f32 channels_last", False, False, True),
    ("TF32 channels_last", True, False, True),
    ("f16 channels_last", False, True, True),
]
# A mode's name, and the same of training, and whether it is a CUDA graph. What matters most comes first: the time may end.
TRAINING_MODES = [
    ("f32", False, False, False, False),
    ("autocast f16 channels_last", False, True, True, False),
    ("f32, CUDA graph", False, False, False, True),
    ("TF32 channels_last", True, False, True, False),
]


def noise(shape, dtype, last):
    tensor = (torch.rand(shape, device="cuda") - 0.5).to(dtype)
    return tensor.contiguous(memory_format=torch.channels_last) if last and len(shape) == 4 else tensor


def copies_of(shapes):
    size = 4 * sum(torch.Size(shape).numel() for shape in shapes)
    return max(1, min(MOST_COPIES, -(-BYTES // size)))


def measure_throughput(out, seconds):
    problems = load_work(out, "throughput", "problems")
    results = Results(out, "torch-throughput", seconds, [mode for mode, *_ in MODES])
    torch.backends.cudnn.benchmark = True
    for problem in problems:
        for mode, tf32, half, last in MODES:
            if results.is_past():
                return
            set_tf32(tf32)
            dtype = torch.float16 if half else torch.float32
            is_matmul = "matmul" in problem
            if is_matmul and mode == "f32 channels_last":
                continue
            try:
                measure = matmul if is_matmul else convolution
                for name, flops, time_of_one in measure(problem, dtype, last):
                    results.row(problem=problem["name"], mode=mode, seconds=time_of_one, flops=flops,
                                gflops_per_second=flops / time_of_one / 1e9, **{"pass": name})
            except RuntimeError as error:
                results.row(problem=problem["name"], mode=mode, error=str(error).splitlines()[0])


def matmul(problem, dtype, _last):
    size = problem["matmul"]
    operands = [(noise((size, size), dtype, False), noise((size, size), dtype, False))
                for _ in range(copies_of([(size, size)] * 2))]
    runs = [lambda a=a, b=b: a @ b for a, b in operands]
    yield "matmul", 2 * size**3, median_seconds(runs)


def convolution(problem, dtype, last):
    images, channels, side = problem["images"], problem["channels"], problem["side"]
    results, kernel = problem["results"], problem["kernel"]
    stride, padding = [problem["stride"]] * 2, [problem["padding"]] * 2
    to = (side + 2 * padding[0] - kernel) // stride[0] + 1
    shapes = [(images, channels, side, side), (results, channels, kernel, kernel), (images, results, to, to)]
    flops = 2 * images * results * to * to * channels * kernel * kernel
    operands = [[noise(shape, dtype, last) for shape in shapes] for _ in range(copies_of(shapes))]

    def backward(x, w, y, wanted):
        return torch.ops.aten.convolution_backward(
            y, x, w, None, stride, padding, [1, 1], False, [0, 0], 1, wanted)

    yield "forward", flops, median_seconds(
        [lambda x=x, w=w: F.conv2d(x, w, None, stride, padding) for x, w, _ in operands])
    yield "input gradient", flops, median_seconds(
        [lambda x=x, w=w, y=y: backward(x, w, y, [True, False, False]) for x, w, y in operands])
    yield "weight gradient", flops, median_seconds(
        [lambda x=x, w=w, y=y: backward(x, w, y, [False, True, False]) for x, w, y in operands])


def seed_network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 600), nn.ReLU(), nn.Linear(600, 10))


def u_net(channels, classes, width):
    def block(inputs, outputs):
        layers = []
        for source in (inputs, outputs):
            layers += [nn.Conv2d(source, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [width * 2**i for i in range(5)]
            self.down = nn.ModuleList(block(a, b) for a, b in zip([channels] + widths[:3], widths[:4]))
            self.bottom = block(widths[3], widths[4])
            self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[3::-1])
            self.join = nn.ModuleList(block(2 * w, w) for w in widths[3::-1])
            self.last = nn.Conv2d(width, classes, 1)

        def forward(self, x):
            kept = []
            for down in self.down:
                x = down(x)
                kept.append(x)
                x = F.max_pool2d(x, 2)
            x = self.bottom(x)
            for up, join in zip(self.up, self.join):
                x = join(torch.cat([up(x), kept.pop()], 1))
            return self.last(x)

    return UNet()


def network(work):
    name = work["network"]
    if name == "seed":
        return seed_network()
    if name == "unet":
        return u_net(work["channels"], work["classes"], 32)
    import torchvision

    return getattr(torchvision.models, name)(num_classes=work["classes"])


class Trainer:
    """A training step with SGD and momentum on fixed noise."""

    def __init__(self, work, half, last):
        layout = torch.channels_last if last else torch.contiguous_format
        self.model = network(work).cuda().to(memory_format=layout)
        shape = (work["batch"], work["channels"], work["side"], work["side"])
        self.images = noise(shape, torch.float32, last)
        labelled = (shape[0],) + shape[2:] if work["network"] == "unet" else shape[:1]
        self.labels = torch.randint(work["classes"], labelled, device="cuda")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.half = half
        self.scaler = torch.amp.GradScaler("cuda", enabled=half)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.float16, enabled=self.half):
            loss = F.cross_entropy(self.model(self.images), self.labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def graphed(self):
        """The step as a CUDA graph, without a scaler, which reads back."""
        def plain():
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.model(self.images), self.labels)
            loss.backward()
            self.optimizer.step()

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(4):
                plain()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            plain()
        return graph.replay


def rate(step, batch):
    """Images a second by the processor's clock around many steps and one wait."""
    def sample(steps):
        start = time.monotonic()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        return (time.monotonic() - start) / steps

    fastest = min(sample(1) for _ in range(4))
    steps = max(1, int(0.2 / fastest))
    return batch / statistics.median(sample(steps) for _ in range(5))


def measure_training(out, seconds):
    workloads = load_work(out, "training", "workloads")
    results = Results(out, "torch-training", seconds, [mode for mode, *_ in TRAINING_MODES])
    torch.backends.cudnn.benchmark = True
    for mode, tf32, half, last, graphed in TRAINING_MODES:
        set_tf32(tf32)
        for work in workloads:
            if graphed and work["side"] > 32:
                continue
            if results.is_past():
                return
            try:
                trainer = Trainer(work, half, last)
                step = trainer.graphed() if graphed else trainer.step
                speed = rate(step, work["batch"])
                results.row(name=work["name"], mode=mode, images_per_second=speed)
            except (ImportError, RuntimeError) as error:
                results.row(name=work["name"], mode=mode, error=str(error).splitlines()[0])
            trainer = step = None
            torch.cuda.empty_cache()


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("throughput", "training"):
        sys.exit(__doc__)
    try:
        import torch
        import torch.nn.functional as F
        from torch import nn
    except ImportError as error:
        leave_out(f"python3 has no PyTorch here ({error})")
    if not torch.cuda.is_available():
        leave_out("PyTorch is here but finds no GPU")
    measure_part = measure_throughput if sys.argv[1] == "throughput" else measure_training
    measure_part(sys.argv[2], float(sys.argv[3]))
