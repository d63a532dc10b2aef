"""Shared by the tests of weights."""

import struct

import numpy as np
import pytest

from yolocourse.weights.cfg import convolutions, layers, read_cfg


@pytest.fixture(scope="session")
def seeded_weights():
    """A function: path of a .cfg, seed -> bytes of a .weights file, made as tests/golden/README.md says."""

    def seeded(cfg, seed, version=(0, 2)):
        rng = np.random.default_rng(seed)
        cfg = read_cfg(cfg)
        parts = [struct.pack("<3iq" if version >= (0, 2) else "<4i", *version, 0, 0)]
        for layer, inputs in convolutions(cfg, layers(cfg)[0]):
            n, fan_in = layer.filters, inputs * layer.size**2
            drawn = [rng.normal(0, 0.1, n)]
            if layer.batch_norm:
                drawn += [rng.uniform(0.8, 1.2, n), rng.normal(0, 0.1, n), rng.uniform(0.5, 1.5, n)]
            drawn.append(rng.normal(0, np.sqrt(2 / fan_in), n * fan_in))
            parts += [values.astype("<f4").tobytes() for values in drawn]
        return b"".join(parts)

    return seeded
