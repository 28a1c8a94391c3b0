"""Golden losses, computed by PyTorch in float64.

Writes losses.json beside this file: for a layer of three outputs, the loss and the gradients of its weights and biases with
each loss, plain, with weights of samples and of classes, with smoothed labels, with targets that are masked (null), and
with all of these that the loss takes. Where PyTorch has the loss, it is PyTorch's; categoricalHinge and focal are
written out as Keras and torchvision document them.

The mean is sum(w * loss) / sum(w) over the rows, or over the elements, that are not masked; of crossEntropy and the focal
loss after a softmax, w is the weight of the sample times that of its class, as in torch.nn.CrossEntropyLoss(weight,
label_smoothing), which is asserted here.

Run: python3 losses.py  (PyTorch 1.13 or later; running it again writes the same bytes)
"""

import json
import pathlib
import random

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__)
ROWS, INPUTS, OUTPUTS = 6, 4, 3
NEVER = float("nan")
SMOOTHING = 0.2


def numbers(rows, width, low, high):
    return [[round(RANDOM.uniform(low, high) * 1024) / 1024 for _ in range(width)] for _ in range(rows)]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def digits(value):
    """Enough for a comparison to 1e-12, in a small file."""
    return float(f"{value:.13g}")


def cross_entropy(z, t):
    return -(t * F.log_softmax(z, 1))


def focal(z, t, gamma=2.0, alpha=0.25):
    """Keras' CategoricalFocalCrossentropy."""
    return alpha * (1 - F.softmax(z, 1)) ** gamma * cross_entropy(z, t)


def binary_focal(z, t, gamma=2.0, alpha=0.25):
    """torchvision.ops.sigmoid_focal_loss with reduction="none"."""
    p = torch.sigmoid(z)
    ce = F.binary_cross_entropy_with_logits(z, t, reduction="none")
    p_t = p * t + (1 - p) * (1 - t)
    return (alpha * t + (1 - alpha) * (1 - t)) * ce * (1 - p_t) ** gamma


def categorical_hinge(y, t):
    """Keras' categorical_hinge."""
    return F.relu(((1 - t) * y).max(1).values - (t * y).sum(1) + 1)


def kl_divergence(z, t):
    value = F.kl_div(F.log_softmax(z, 1), t, reduction="none").sum(1)
    assert torch.allclose(value.mean(), F.kl_div(F.log_softmax(z, 1), t, reduction="batchmean"))
    return value


def hinge(y, t):
    return F.relu(1 - t * y)


# loss, settings, activation of the layer, kind of targets, function of logits and targets, how class weights count
LOSSES = [
    ("meanSquaredError", {}, "linear", "real", lambda z, t: F.mse_loss(z, t, reduction="none"), None),
    ("meanAbsoluteError", {}, "linear", "real", lambda z, t: F.l1_loss(z, t, reduction="none"), None),
    ("huber", {}, "linear", "real", lambda z, t: F.huber_loss(z, t, reduction="none"), None),
    ("huber", {"delta": 0.4}, "linear", "real", lambda z, t: F.huber_loss(z, t, reduction="none", delta=0.4), None),
    ("logCosh", {}, "linear", "real", lambda z, t: torch.log(torch.cosh(z - t)), None),
    (
        "poisson",
        {},
        "sigmoid",
        "counts",
        lambda z, t: F.poisson_nll_loss(torch.sigmoid(z), t, log_input=False, eps=1e-8, reduction="none"),
        None,
    ),
    ("hinge", {}, "linear", "signs", hinge, "sides"),
    ("squaredHinge", {}, "tanh", "signs", lambda z, t: hinge(torch.tanh(z), t) ** 2, "sides"),
    (
        "binaryCrossEntropy",
        {},
        "sigmoid",
        "bits",
        lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none"),
        "sides",
    ),
    ("focal", {}, "sigmoid", "bits", binary_focal, "sides"),
    ("focal", {"gamma": 0.5, "alpha": 0.75}, "sigmoid", "bits", lambda z, t: binary_focal(z, t, 0.5, 0.75), "sides"),
    ("categoricalHinge", {}, "linear", "classes", categorical_hinge, "rows"),
    ("cosineSimilarity", {}, "linear", "real", lambda z, t: F.cosine_embedding_loss(z, t, torch.ones(len(z)), reduction="none"), None),
    ("klDivergence", {}, "softmax", "soft", kl_divergence, None),
    ("crossEntropy", {}, "softmax", "classes", cross_entropy, "targets"),
    ("crossEntropy", {}, "softmax", "soft", cross_entropy, "targets"),
    ("focal", {}, "softmax", "classes", focal, "targets"),
    ("focal", {"gamma": 1.5, "alpha": 1}, "softmax", "soft", lambda z, t: focal(z, t, 1.5, 1.0), "targets"),
]
OF_ROWS = ["categoricalHinge", "cosineSimilarity", "klDivergence", "crossEntropy"]
SMOOTHED = ["crossEntropy", "binaryCrossEntropy", "focal"]


def make_targets(kind):
    if kind == "classes":
        return [r * 7 % 5 % OUTPUTS for r in range(ROWS)]
    if kind == "soft":
        rows = [[RANDOM.randint(1, 8) for _ in range(OUTPUTS)] for _ in range(ROWS)]
        return [[value / sum(row) for value in row] for row in rows]
    if kind == "counts":
        return [[RANDOM.randint(0, 3) for _ in range(OUTPUTS)] for _ in range(ROWS)]
    if kind in ("bits", "signs"):
        low = 0 if kind == "bits" else -1
        return [[RANDOM.choice([low, 1]) for _ in range(OUTPUTS)] for _ in range(ROWS)]
    return numbers(ROWS, OUTPUTS, -2, 2)


def case(loss, settings, activation, targets, kind, function, classes, smoothing, class_weights, sample_weights, masked):
    weights = tensor(WEIGHTS).requires_grad_(True)
    biases = tensor(BIASES).requires_grad_(True)
    z = tensor(X) @ weights + biases
    per_row = loss in OF_ROWS or activation == "softmax"
    t = F.one_hot(torch.tensor(targets), OUTPUTS).double() if kind == "classes" else tensor(targets)
    if masked:
        t = torch.where(tensor(MASK) > 0, torch.full_like(t, NEVER), t)
    missing = torch.isnan(t).any(1) if per_row else torch.isnan(t)
    t = torch.where(torch.isnan(t), torch.full_like(t, 0.0), t)
    counts = 1.0 - missing.double()
    samples = tensor(sample_weights) if sample_weights else torch.ones(ROWS, dtype=torch.float64)
    scale = samples if per_row else samples[:, None].expand(ROWS, OUTPUTS)
    share = scale * counts
    ofClass = tensor(class_weights) if class_weights else None
    if classes == "sides" and class_weights:
        share = share * torch.where(t >= 0.5, ofClass[1], ofClass[0])
    if classes in ("rows", "targets") and class_weights:
        share = share * (t * ofClass).sum(1)
    smooth = t * (1 - smoothing) + smoothing / (OUTPUTS if per_row else 2)
    if classes == "targets":
        columns = ofClass if class_weights else torch.ones(OUTPUTS, dtype=torch.float64)
        each = function(z, smooth * columns).sum(1) * scale * counts
    else:
        each = function(z, smooth) * share
    value = each.sum() / share.sum()
    if loss == "crossEntropy" and kind == "classes" and not masked and not sample_weights:
        wanted = F.cross_entropy(z, torch.tensor(targets), weight=ofClass, label_smoothing=smoothing)
        assert torch.allclose(value, wanted, rtol=1e-12), (value, wanted)
    value.backward()
    written = t.tolist() if kind == "classes" and masked else targets
    if masked:
        written = [[None if m else v for v, m in zip(row, bits)] for row, bits in zip(written, MASK)]
    return {
        "loss": loss,
        "settings": settings,
        "activation": activation,
        "targets": written,
        "options": {
            **({"labelSmoothing": smoothing} if smoothing else {}),
            **({"classWeights": class_weights} if class_weights else {}),
            **({"sampleWeights": sample_weights} if sample_weights else {}),
        },
        "value": digits(value.item()),
        "weightGradients": [digits(v) for v in weights.grad.flatten().tolist()],
        "biasGradients": [digits(v) for v in biases.grad.tolist()],
    }


RANDOM = random.Random(12)
X = numbers(ROWS, INPUTS, -1, 1)
WEIGHTS = numbers(INPUTS, OUTPUTS, -1, 1)
BIASES = numbers(1, OUTPUTS, -1, 1)[0]
MASK = [[0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]]
SAMPLE_WEIGHTS = [1, 0.5, 2, 0, 3, 0.25]

cases = []
for loss, settings, activation, kind, function, classes in LOSSES:
    targets = make_targets(kind)
    smoothings = [0, SMOOTHING] if loss in SMOOTHED else [0]
    class_weights = {None: None, "sides": [0.5, 2]}.get(classes, [1, 0.25, 3])
    chosen = {
        (0, False, False, False),
        (smoothings[-1], False, False, False),
        (0, classes is not None, False, False),
        (0, False, True, False),
        (0, False, False, True),
        (smoothings[-1], classes is not None, False, False),
        (smoothings[-1], classes is not None, True, True),
    }
    for smoothing, weighted, sampled, masked in sorted(chosen):
        cases.append(
            case(
                loss, settings, activation, targets, kind, function, classes, smoothing,
                class_weights if weighted else None, SAMPLE_WEIGHTS if sampled else None, masked,
            )
        )

golden = {"x": X, "weights": WEIGHTS, "biases": BIASES}
# One case a line, so that a change shows what it changes.
text = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
head = json.dumps(golden)[:-1]
HERE.with_suffix(".json").write_text(f'{head}, "cases": [\n{text}\n]}}\n')
