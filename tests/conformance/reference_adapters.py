"""Bottleneck adapters as AdapterHub's package has them: added, saved, and loaded again.

A case's `adapters` holds configs by name (fields of AdapterHub's, and `preset`) and, for more than one, a `setup` as
AdapterHub serializes it. Files lie where Espalier looks for those of its method "default": under adapters/default/.
"""

import glob
import os

import torch
from safetensors.torch import load_file

try:
    import adapters
    from adapters import AdapterConfig
    from adapters.composition import AdapterCompositionBlock, Fuse
except ImportError:  # there is none for transformers 5
    adapters = None

OWN = (".adapters.", ".adapter_fusion_layer.")
HEADS = ("classifier.", "pre_classifier.", "score.")


def heads_of(model):
    """Starts of names of what trains of a classifier: of ModernBERT all outside of the backbone, as AdapterHub leaves it."""
    return HEADS + (("head.",) if hasattr(model, "classifier") else ())


def setup_of(options):
    setup = options.get("setup")
    return "default" if setup is None else AdapterCompositionBlock.from_dict(setup)


def folder(directory):
    return os.path.join(directory, "adapters", "default")


def init(model):
    """AdapterHub's `init`, without what it breaks: a random bias in modules of ModernBERT that have none."""
    known = {name for name, _ in model.named_parameters()}
    adapters.init(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in known:
                parameter.zero_()


def add(model, options):
    """Adds new adapters to a model and says what trains: they and a classifier's head, or the fusion and the head."""
    init(model)
    setup = setup_of(options)
    for name, fields in options["configs"].items():
        fields = {key: float(value) if key == "scaling" and not isinstance(value, str) else value
                  for key, value in fields.items()}
        model.add_adapter(name, AdapterConfig.load(fields.pop("preset"), **fields))
    if isinstance(setup, Fuse):
        model.add_adapter_fusion(setup, options["fusion"])
        model.train_adapter_fusion(setup)
    else:
        model.train_adapter(setup)
    heads = heads_of(model)
    # A method's tensors are moved, so that none of them starts without a gradient; heads of language models stay.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            own = any(part in name for part in OWN)
            if own and options.get("shaken", True):
                parameter.add_(0.1 * torch.randn_like(parameter))
            if not own and not name.startswith(heads):
                parameter.requires_grad = False
    model.set_active_adapters(setup)
    return model


def save(model, options, directory):
    setup = setup_of(options)
    with_head = any(name.startswith(heads_of(model)) for name, _ in model.named_parameters())
    os.makedirs(folder(directory))
    if setup == "default":
        model.save_adapter(folder(directory), setup, with_head=with_head, use_safetensors=True)
    else:
        model.save_adapter_setup(folder(directory), setup, head_setup=with_head, use_safetensors=True)


def regularizer(model):
    """What AdapterHub's trainer adds to the loss: nothing without a fusion that trains."""
    if not hasattr(model, "get_fusion_regularization_loss"):
        return None
    return model.base_model.get_fusion_regularization_loss()


def load(model, directory):
    """Loads what Espalier saved into a base model. A key that is missing or unexpected is an error."""
    init(model)
    path = folder(directory)
    if os.path.exists(os.path.join(path, "adapter_setup.json")):
        setup, _ = model.load_adapter_setup(path, use_safetensors=True)
        if os.path.exists(os.path.join(path, "head_config.json")):
            model.load_head(path, use_safetensors=True)
    else:
        setup = model.load_adapter(path, use_safetensors=True)
    model.set_active_adapters(setup)
    given = set()
    for file in glob.glob(os.path.join(path, "**", "*.safetensors"), recursive=True):
        given |= set(load_file(file))
    expected = {name for name in model.state_dict() if any(part in name for part in OWN) or name.startswith(heads_of(model))}
    if expected != given:
        raise ValueError(f"missing keys {sorted(expected - given)}, unexpected keys {sorted(given - expected)}")
    return model
