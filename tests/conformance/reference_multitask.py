"""Several tasks in a training step: losses weighed by uncertainty (Kendall et al. 2018), gradients without conflicts (Yu et
al. 2020). A step's loss is the mean of the losses of its tasks.
"""

import torch


def names_of(case):
    """Tasks in the order of their ids."""
    return list(dict.fromkeys(case.get("tasks") or []))


def variances_of(case, dtype):
    """The logarithmic variances that tasks learn, by the names of saved tensors."""
    if (case.get("multitask") or {}).get("lossWeights") != "uncertainty":
        return {}
    return {f"logVariance.{name}": torch.nn.Parameter(torch.zeros((), dtype=dtype)) for name in names_of(case)}


def enlarge(prompt):
    """As large as embeddings of real tokens, so that 20 steps teach something."""
    with torch.no_grad():
        prompt.prefix_task_cols.mul_(25)
        prompt.prefix_task_rows.mul_(25)


def step_loss(case, parameters, batches, mean_loss):
    """The mean of the tasks' losses, with its gradients accumulated. `mean_loss` is that of micro-batches of one task."""
    total, gradients = 0.0, []
    for task in names_of(case):
        loss = mean_loss([batch for batch, name in zip(batches, case["tasks"]) if name == task])
        variance = parameters.get(f"logVariance.{task}")
        if variance is not None:
            loss = torch.exp(-variance) * loss + variance / 2
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        gradients.append([torch.zeros_like(p) if g is None else g for p, g in zip(parameters.values(), found)])
        total += loss.item()
    if (case.get("multitask") or {}).get("gradientSurgery") == "pcgrad":
        shared = [not name.startswith("logVariance.") for name in parameters]
        gradients = without_conflict(*gradients, shared)
    for parameter, *own in zip(parameters.values(), *gradients):
        parameter.grad = sum(own) / len(own)
    return total / len(gradients)


def without_conflict(a, b, shared):
    """Algorithm 1 of Yu et al. for two tasks, in the parameters that they share."""
    product = lambda x, y: sum((g * h).sum() for g, h, used in zip(x, y, shared) if used)
    conflict = torch.clamp(product(a, b), max=0)

    def projected(own, other):
        factor = conflict / product(other, other)
        return [g - factor * h if used else g for g, h, used in zip(own, other, shared)]

    return projected(a, b), projected(b, a)
