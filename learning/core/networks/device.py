"""Where networks are trained: on a GPU when there is one, else on the processor."""

import psutil
import torch

SHARE = 0.5  # of the free memory; others need some as well


def training_device() -> torch.device:
    """The first GPU that CUDA or ROCm offers; an empty CUDA_VISIBLE_DEVICES hides it."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def finished(device: torch.device) -> None:
    """Wait for what a GPU was given to do: it is asked to work, and answers later."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free_memory(device: torch.device) -> int:
    """The bytes that a training may take of what is free there now."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return int(SHARE * free)
