"""Meta Networks: fast weights made from loss gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from molmeta.learners.base import Embedded, Learner, State, label_scale, scaled, unscaled
from molmeta.learners.functional import canonical_order
from molmeta.tasks import Classification, Episode, Examples, Regression, Target

P = 7.0  # of the preprocessing of gradients


class MetaNetworks(Learner):
    r"""Weights that are made for a task, and for each query, from the gradients of the support.

    Munkhdalai, Yu: *Meta Networks* (ICML 2017), https://arxiv.org/abs/1703.00837, algorithm 1.
    u gives a representation, f predicts, both with slow weights (Q, W) and fast ones (Q*, W*):

    .. math:: Q^* = d\big(\{\nabla_Q L_{emb}(u(Q, x_i), y_i)\}_{i=1}^T\big)
              \quad \text{(task level)}

    .. math:: W^*_i = m\big(\nabla_W L_{task}(f(W, x_i), y_i)\big), \quad r_i = u(Q, Q^*, x_i)
              \quad \text{(example level)}

    .. math:: W^*(x) = \sum_i \mathrm{softmax}_i\big(\beta \cos(r_i, u(Q, Q^*, x))\big)\, W^*_i,
              \qquad p(y \mid x) = f(W, W^*(x), x)

    d is an LSTM and m a three-layer perceptron, both the same for every coordinate of a gradient,
    which they see as (log|∇|/p, sign ∇), p = 7 (Andrychowicz et al. 2016). A layer with slow and
    fast weights (layer augmentation, section 3.4) adds what both give:
    ReLU(Wx) + ReLU(W*x); the last adds before the softmax. Here u has one such layer on the
    encoder's vectors, and f two, a hidden one and the output.

    State
    -----
    fast_representation : Tensor
        Q* `[P_u]`, flat.
    memory, keys : Tensor
        W*_i `[n, P_f]`, flat, and r_i `[n, hidden]`; for a regression also `label.mean` and
        `label.spread`.

    Differences from the paper
    --------------------------
    u and f share the encoder (separate networks there, of which the last three layers are
    augmented). L_emb is the loss of a linear read-out of r at any number of shots (contrastive
    there, where a class has more than one); added to the training loss on the query, so that the
    read-out learns. The T gradients are taken in an order that depends on the examples alone, so
    that the order of the support does not matter. Gradients that enter d and m are constants of
    the meta-gradient. A learned strength β that starts at 10 (1 there). Fast weights are brought
    to mean 0 and a learned size: d and m, when new, give every coordinate nearly the same, and
    all units of a layer would be off together. m starts as a step down the gradient, −sign ∇; from
    random weights it steps up as often, and few assays do not turn it round.

    Parameters
    ----------
    dim, target_width, hidden : int
        Width of a vector, number of outputs, units of the augmented layers.
    samples : int
        T.
    units : int
        Hidden units of d and of m.
    """

    targets = (Classification, Regression)
    class_symmetric = False

    def __init__(
        self, dim: int, target_width: int, hidden: int = 64, samples: int = 16, units: int = 20
    ) -> None:
        super().__init__()
        self.samples = samples
        self.represent = nn.Linear(dim, hidden)
        self.read_out = nn.Linear(hidden, target_width)
        self.base = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, target_width)
        )
        self.task_level = nn.LSTMCell(2, units)
        self.task_out = nn.Linear(units, 1, bias=False)
        self.example_level = nn.Sequential(
            *(nn.Linear(2, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU()),
            nn.Linear(units, 1, bias=False),
        )
        _start_as_descent(self.example_level)
        self.log_size = nn.Parameter(torch.tensor([0.1, 0.1]).log())  # of Q* and W*
        self.log_strength = nn.Parameter(torch.tensor(10.0).log())

    def adapt(self, support: Examples) -> State:
        """Fast weights of the task, and of each example with its key."""
        self.check(support)
        x, scale = support.x, label_scale(support)
        y = scaled(support.y, scale)
        fast = self.fast_representation(x, y, support.target)
        gradients = self.gradients(self.base, x, y, support.target)
        made = self.example_level(preprocess(gradients)).squeeze(2)
        return {
            "fast_representation": fast,
            "memory": self.log_size[1].exp() * _standard(made),
            "keys": self.representation(x, fast),
            **scale,
        }

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Read fast weights by attention, and predict with both: `[n, target.width]`."""
        r = self.representation(x, state["fast_representation"])
        cosine = F.normalize(r, dim=1) @ F.normalize(state["keys"], dim=1).T
        attention = (self.log_strength.exp() * cosine).softmax(dim=1)
        return unscaled(self.augmented(x, attention @ state["memory"]), state)

    def loss(self, episode: Episode) -> Tensor:
        """Loss of the query, and L_emb of the query."""
        task = super().loss(episode)
        y = scaled(episode.query.y, label_scale(episode.support))
        outputs = self.read_out(self.representation(episode.query.x))
        return task + episode.target.loss(outputs, y)

    def representation(self, x: Tensor, fast: Tensor | None = None) -> Tensor:
        """u(Q, x), or u(Q, Q*, x) with flat Q*: `[n, hidden]`."""
        slow = F.relu(self.represent(x))
        if fast is None:
            return slow
        weight, bias = _unflat(fast, self.represent)
        return slow + F.relu(F.linear(x, weight, bias))

    def augmented(self, x: Tensor, fast: Tensor) -> Tensor:
        """f(W, W*, x) for inputs `[n, dim]`, each with its own flat W* `[n, P_f]`."""
        w1, b1, w2, b2 = _unflat(fast, self.base)
        hidden = self.base[1](self.base[0](x)) + F.relu(torch.einsum("nhd,nd->nh", w1, x) + b1)
        return self.base[2](hidden) + torch.einsum("nwh,nh->nw", w2, hidden) + b2

    def fast_representation(self, x: Tensor, y: Tensor, target: Target) -> Tensor:
        """Q*, flat: d reads the gradients of T examples in canonical order."""
        order = canonical_order(x, y)
        picks = torch.linspace(0, len(y) - 1, min(self.samples, len(y)), device=x.device)
        index = order[picks.round().long()]
        network = nn.Sequential(self.represent, nn.ReLU(), self.read_out)
        gradients = self.gradients(network, x[index], y[index], target)
        own = preprocess(gradients[:, : _size(self.represent)])  # [T, P_u, 2]
        h = c = own.new_zeros(own.shape[1], self.task_level.hidden_size)
        for one in own:
            h, c = self.task_level(one, (h, c))
        return self.log_size[0].exp() * _standard(self.task_out(h).squeeze(1))

    def gradients(self, network: nn.Module, x: Tensor, y: Tensor, target: Target) -> Tensor:
        """The loss gradient of each example by all parameters of a network, flat: `[n, P]`."""
        parameters = {name: p.detach() for name, p in network.named_parameters()}

        def loss(p: State, one: Tensor, label: Tensor) -> Tensor:
            return target.loss(functional_call(network, p, one[None]), label[None])

        each = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x.detach(), y)
        return torch.cat([each[name].flatten(1) for name in parameters], dim=1)


def preprocess(gradient: Tensor) -> Tensor:
    """(log|∇|/p, sign ∇), or (−1, eᵖ∇) where |∇| < e⁻ᵖ: `[..., P]` to `[..., P, 2]`."""
    size = gradient.abs()
    large = size >= torch.e**-P
    scale = torch.where(large, size.clamp(min=1e-30).log() / P, -torch.ones_like(size))
    sign = torch.where(large, gradient.sign(), torch.e**P * gradient)
    return torch.stack([scale, sign], dim=-1)


@torch.no_grad()
def _start_as_descent(m: nn.Sequential) -> None:
    """Two units carry the sign, up and down, through layers that are otherwise near zero."""
    for parameter in m.parameters():
        parameter.mul_(0.1)
    first, second, last = (layer.weight for layer in m if isinstance(layer, nn.Linear))
    first[:2] = torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    second[0, 0] = second[1, 1] = 1.0
    last[0, :2] = torch.tensor([-1.0, 1.0])


def _standard(flat: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 over the coordinates `[..., P]`."""
    return F.layer_norm(flat, flat.shape[-1:], eps=1e-12)


def _size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _unflat(flat: Tensor, network: nn.Module) -> list[Tensor]:
    """Flat weights `[..., P]` in the shapes of a network's parameters."""
    shapes = [p.shape for p in network.parameters()]
    parts = flat.split([shape.numel() for shape in shapes], dim=-1)
    return [
        part.reshape(*flat.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)
    ]


def meta_networks(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`MetaNetworks` on an encoder (with its width `dim`)."""
    return Embedded(encoder, MetaNetworks(encoder.dim, target.width, **options))  # type: ignore[arg-type]
