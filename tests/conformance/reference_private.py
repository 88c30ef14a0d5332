"""Opacus' gradients: those of examples clipped, their sum divided by the number of examples that a step is planned for."""

import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer


def accumulation(model, optimizer, options, causal):
    """What gives a step's mean loss, and the parameters their gradients without noise."""
    # Opacus takes gradients of examples in training mode alone; all dropouts are zero.
    sampled = GradSampleModule(model.train(), strict=False)
    private = DPOptimizer(
        optimizer, noise_multiplier=0.0, max_grad_norm=options["clip"], expected_batch_size=options["planned"]
    )

    def accumulate(batches):
        losses = []
        private.zero_grad()
        for i, batch in enumerate(batches):
            own = example_losses(sampled, batch, causal)
            own.mean().backward()
            private.signal_skip_step(i < len(batches) - 1)
            private.pre_step()
            # Of a step that goes on this drops the examples' gradients, and keeps the sum.
            if i < len(batches) - 1:
                private.zero_grad()
            losses.append(own.detach())
        return torch.cat(losses).mean().item()

    return accumulate


def example_losses(model, batch, causal):
    """The mean over an example's terms, of each example."""
    logits, labels = model(**batch).logits, batch["labels"]
    if labels.ndim == 1:
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    if causal:
        logits, labels = logits[:, :-1], labels[:, 1:]
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=-100)
    return each.sum(1) / (labels != -100).sum(1)
