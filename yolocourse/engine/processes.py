"""Which of several training processes this one is, and what they say to each other.

One process on one device trains alone. Started by `torchrun`, on one machine or on several, each process trains on its
share of every batch; gradients are averaged by DistributedDataParallel, and everything that decides about the course of
the run (loss, time, requests to stop) is summed here, so that all of them decide alike.
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """`rank` of `count` processes, number `local_rank` on its machine; only rank 0 writes files and prints."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def writes(self) -> bool:
        return self.rank == 0

    @classmethod
    def here(cls) -> "Processes":
        """What the launcher says in the environment; the first call joins the others, and waits for them.

        NCCL where there are graphics cards, else gloo. Raises ValueError for an environment that is not torchrun's.
        """
        count = _number("WORLD_SIZE", 1)
        if count == 1:
            return cls()
        here = cls(_number("RANK"), count, _number("LOCAL_RANK"))
        if not distributed.is_initialized():
            if torch.cuda.is_available():
                torch.cuda.set_device(here.local_rank)
            backend = "nccl" if torch.cuda.is_available() else "gloo"
            # After a restart the launcher's store still holds the addresses of the processes that died; under a name
            # of its own each start finds only those of its own.
            store, rank, count = next(distributed.rendezvous("env://"))
            store = distributed.PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
            distributed.init_process_group(backend, store=store, rank=rank, world_size=count)
        return here

    def device(self, wanted: torch.device | str) -> torch.device:
        """This process's own card, where it is one of several on a machine; else the device that was asked for."""
        device = torch.device(wanted)
        return torch.device("cuda", self.local_rank) if self.count > 1 and device.type == "cuda" else device

    def share(self, batch_size: int, accumulate: int = 1) -> int:
        """Pictures of a batch that go through this process at once. Raises ValueError unless all shares are equal."""
        if batch_size % (self.count * accumulate):
            raise ValueError(
                f"a batch of {batch_size} pictures cannot be shared out equally among {self.count} processes in"
                f" {accumulate} portions"
            )
        return batch_size // (self.count * accumulate)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, the same in each; `values` itself is left alone."""
        if self.count == 1:
            return values
        result = values.clone()
        distributed.all_reduce(result)
        return result

    def from_first(self, data: bytes | None) -> bytes | None:
        """What rank 0 was called with, in all processes."""
        if self.count == 1:
            return data
        device = torch.device("cuda", self.local_rank) if distributed.get_backend() == "nccl" else "cpu"
        length = torch.tensor([-1 if data is None or not self.writes else len(data)], device=device)
        distributed.broadcast(length, 0)
        if length.item() < 0:
            return None
        content = torch.empty(length.item(), dtype=torch.uint8, device=device)
        if self.writes:
            content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        distributed.broadcast(content, 0)
        return data if self.writes else content.cpu().numpy().tobytes()

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network to run: averages gradients over the processes after each backward pass."""
        if self.count == 1:
            return model
        first = next(model.parameters())
        return DistributedDataParallel(model, [first.device.index] if first.device.type == "cuda" else None)

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.count > 1:
            distributed.barrier()


def leave() -> None:
    """Ends what `Processes.here` began; to be called once, at the end of the program."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isdigit():
        raise ValueError(f"WORLD_SIZE says that there are several processes, but {name} is {text!r}; use torchrun")
    return int(text)
