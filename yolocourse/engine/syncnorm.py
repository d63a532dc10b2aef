"""Batch norm over all processes of a distributed training.

DistributedDataParallel lets each process normalise by the statistics of its own share of the batch. With few pictures a
process these are poor, and the result depends on how many processes there are. torch.nn.SyncBatchNorm takes the whole
batch, but runs on graphics cards only; here is the same for processors, so that both can be tested and used.
"""

import torch
import torch.distributed as distributed
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """Sum over all processes; the gradient of a sum is the sum of the gradients."""

    @staticmethod
    def forward(context, values: Tensor) -> Tensor:
        result = values.clone()
        distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        result = gradient.clone()
        distributed.all_reduce(result)
        return result


class SyncBatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d whose mean and variance are those of the whole batch: (N, K, H, W) -> (N, K, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x if x.dtype == torch.float64 else x.float()
        mine = values.new_full((1,), x.numel() / x.shape[1])
        sums = _Sum.apply(torch.cat([values.sum((0, 2, 3)), mine]))  # (K + 1,)
        count = sums[-1].detach()
        mean = sums[:-1] / count  # (K,)
        # In a second round, since the mean of squares less the square of the mean loses digits.
        variance = _Sum.apply((values - mean[:, None, None]).square().sum((0, 2, 3))) / count  # (K,)
        with torch.no_grad():
            unbiased = variance * count / (count - 1)
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return ((values - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def synchronized(model: nn.Module) -> nn.Module:
    """Replaces every nn.BatchNorm2d of a model by one over all processes, weights and statistics kept; in place."""
    if next(model.parameters()).device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.BatchNorm2d:
                new = SyncBatchNorm(child.num_features, child.eps, child.momentum)
                new.load_state_dict(child.state_dict())
                setattr(module, name, new.to(child.weight).train(child.training))  # device and precision
    return model
