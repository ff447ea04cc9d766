"""Reads a folder of pictures with torchvision's loader: python3 torchvision_loader.py FOLDER WORKERS

Prints pictures a second of processor time on WORKERS cores, and a second of real time. `cargo bench --bench pictures`
runs it. The pictures stay bytes, which is the least that torchvision can do. Starting the workers counts in neither figure:
an epoch of few pictures is subtracted.
"""

import resource
import sys
import time

import torch
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

FEW = 64


def used():
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def epoch(data, workers):
    started, before = time.perf_counter(), used()
    pictures = 0
    for images, _ in DataLoader(data, batch_size=64, shuffle=True, num_workers=workers):
        pictures += len(images)
    # The workers have ended, and their time counts.
    return pictures, used() - before, time.perf_counter() - started


def main():
    folder, workers = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()]
    data = datasets.ImageFolder(folder, transforms.Compose(steps))
    few = Subset(data, range(FEW * workers))
    epoch(few, workers)
    less, all = epoch(few, workers), epoch(data, workers)
    pictures, computed, elapsed = (b - a for a, b in zip(less, all))
    print(pictures * workers / computed, pictures / elapsed)


main()
