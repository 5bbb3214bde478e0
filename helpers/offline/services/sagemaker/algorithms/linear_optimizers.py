"""The optimizers of Linear Learner, each over all models at once: weights of shape (features, models)."""

from __future__ import annotations

from typing import Any

import numpy


class Sgd:
    """With momentum."""

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum = momentum
        self.velocity: dict[str, Any] = {}

    def step(self, name: str, weights: Any, gradient: Any, rate: Any) -> None:
        velocity = self.velocity.setdefault(name, numpy.zeros_like(weights))
        velocity *= self.momentum
        velocity -= rate * gradient
        weights += velocity


class Adam:
    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999) -> None:
        self.betas = (beta_1, beta_2)
        self.moments: dict[str, list[Any]] = {}

    def step(self, name: str, weights: Any, gradient: Any, rate: Any) -> None:
        first, second = self.betas
        state = self.moments.setdefault(name, [numpy.zeros_like(weights), numpy.zeros_like(weights), 0])
        state[2] += 1
        state[0] += (1 - first) * (gradient - state[0])
        state[1] += (1 - second) * (gradient**2 - state[1])
        mean, variance = state[0] / (1 - first ** state[2]), state[1] / (1 - second ** state[2])
        weights -= rate * mean / (numpy.sqrt(variance) + 1e-8)


class RmsProp:
    def __init__(self, decay: float = 0.9) -> None:
        self.decay = decay
        self.squares: dict[str, Any] = {}

    def step(self, name: str, weights: Any, gradient: Any, rate: Any) -> None:
        squares = self.squares.setdefault(name, numpy.zeros_like(weights))
        squares += (1 - self.decay) * (gradient**2 - squares)
        weights -= rate * gradient / (numpy.sqrt(squares) + 1e-8)


def optimizer(settings: dict[str, Any]) -> Sgd | Adam | RmsProp:
    """The one of the hyperparameters optimizer, momentum, beta_1 and beta_2."""
    match settings["optimizer"]:
        case "sgd":
            return Sgd(settings["momentum"])
        case "rmsprop":
            return RmsProp()
    return Adam(settings["beta_1"], settings["beta_2"])
