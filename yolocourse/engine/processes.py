"""Which of several training processes this one is. Today there is one; the loop already asks."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Processes:
    """`rank` of `count` processes; only rank 0 writes files and prints."""

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        return self.rank == 0

    @classmethod
    def here(cls) -> "Processes":
        """The one process there is. Raises ValueError under a launcher that started several."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count > 1:
            raise ValueError(f"started as one of {count} processes, but training with several is not supported yet")
        return cls()
