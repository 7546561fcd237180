"""Deep kernel transfer: a Gaussian process on an encoder that other tasks trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from molmeta.learners.base import Embedded, label_scale, scaled
from molmeta.learners.gaussian_process import GaussianProcess
from molmeta.learners.kernels import Kernel, LearnedRBF
from molmeta.tasks import Episode, Examples, Target


class DeepKernel(GaussianProcess):
    r"""Encoder, length and noise are learned by the marginal likelihood of the training tasks.

    Patacchiola, Turner, Crowley, O'Boyle, Storkey: *Bayesian Meta-Learning for the Few-Shot
    Setting via Deep Kernels* (NeurIPS 2020), https://arxiv.org/abs/1910.05199, equation 5; the
    loss of a task with n labels y (of a classification ±1) is

    .. math:: \frac{1}{2n} \big(y^\top C^{-1} y + \log |C| + n \log 2\pi\big), \qquad
              C = K + \sigma^2 I

    A new task is `GaussianProcess`, in closed form.

    Differences from the paper
    --------------------------
    Labels are less their mean; the kernel has no scale beside the noise. Support and query are
    alike in training, as in the paper.
    """

    def __init__(self, kernel: Kernel, noise: float = 0.4) -> None:
        super().__init__(kernel)
        self.log_noise = nn.Parameter(torch.tensor(noise).log())

    def noise_of(self, target: Target, n: int) -> Tensor:
        """σ², one for all kinds of label and sizes."""
        return self.log_noise.exp()

    def loss(self, episode: Episode) -> Tensor:
        """The negative log marginal likelihood of all labels, over their number."""
        x = torch.cat([episode.support.x, episode.query.x]).flatten(1)
        both = Examples(x, torch.cat([episode.support.y, episode.query.y]), episode.target)
        self.check(both)
        scale = label_scale(both)
        y = both.target.encode(scaled(both.y, scale)).to(x)
        y = y - y.mean(dim=0) if scale else 2 * (y - y.mean(dim=0))
        covariance = self.kernel(x, x) + self.noise_of(both.target, len(x)) * torch.eye(len(x)).to(
            x
        )
        factor = torch.linalg.cholesky(covariance)
        explained = (y * torch.cholesky_solve(y, factor)).sum(dim=0).mean()
        return (explained / 2 + factor.diagonal().log().sum()) / len(x) + math.log(2 * math.pi) / 2


def deep_kernel(encoder: nn.Module, target: Target) -> Embedded:
    """`DeepKernel` on an encoder, with a Gaussian kernel on vectors of length one."""
    return Embedded(encoder, DeepKernel(LearnedRBF()))
