"""How a network is trained: one frozen dataclass, nothing global."""

from dataclasses import dataclass, field

from yolocourse.losses import DetectionLossSettings
from yolocourse.preprocess import Preprocess


@dataclass(frozen=True)
class TrainSettings:
    """Everything that the training loop needs to know. Lengths are counted in pictures, so that a change of batch size
    or data set leaves them alone. Raises ValueError for values that cannot work."""

    images: int = 16_000  # pictures to train on in all, repeats included
    batch_size: int = 16  # pictures a step, over all processes
    accumulate: int = 1  # portions that a batch is cut into, one after the other on the device: less memory
    size: int = 224  # side of the network's input, pixels; the largest one where `sizes` is given
    sizes: tuple[int, ...] = ()  # multi-scale training: the sizes to draw from, pixels; none: always `size`
    sizes_every: int = 10  # steps between two draws
    last_images: int = 0  # the last so many pictures all come at the largest of `sizes`, as in Darknet
    test_size: int | None = None  # side at which the trained network is used, pixels; None: `size`
    rule: str = "stretch"  # how pictures are brought to that size: "stretch", "letterbox" or "darknet"

    optimizer: str = "adamw"  # or "sgd"
    learning_rate: float = 2e-3  # the highest, reached after the warm-up
    momentum: float = 0.9  # of sgd; adamw's first beta
    weight_decay: float = 5e-4  # on convolution and matrix weights only
    warmup_images: int = 800  # pictures during which the learning rate climbs
    warmup_power: float = 1.0  # rate * (share of the warm-up) ** power; Darknet's "burn-in" has 4
    schedule: str = "cosine"  # after the warm-up: "cosine" to zero, "polynomial" to zero, "steps", or "constant"
    power: float = 4.0  # of the polynomial: rate * (1 - progress) ** power
    steps: tuple[int, ...] = ()  # pictures after which the rate is multiplied by step_factor
    step_factor: float = 0.1
    clip_gradient: float | None = None  # largest norm of the gradient; None: as it comes
    average: float = 0.0  # decay per step of the running average of weights (EMA); 0: none
    max_seconds: float | None = None  # training ends here at the latest, and the schedule is squeezed to fit

    flip: float = 0.5  # probability
    jitter: float = 0.2  # how far each border moves, as a share of the picture
    crop: tuple[int, int] | None = (
        None  # classifiers: a square out of the picture, whose shorter side was made this long
    )
    angle: float = 7.0  # with `crop`: degrees that the picture is turned by at most
    aspect: float = 0.75  # with `crop`: the lowest factor of width against height; the highest is its inverse
    hue: float = 0.1  # shift, as a share of the colour circle
    saturation: float = 1.5  # factor, up or down
    exposure: float = 1.5  # factor, up or down

    precision: str = "auto"  # "float32", "bfloat16", "float16", or "auto": float32 or bfloat16, as measured here
    compile: bool = False  # through torch.compile, once for each size
    sync_batch_norm: bool = False  # several processes: statistics over all of the batch and not over each share of it
    workers: int = 0  # processes that load pictures; 0: the training process does it
    seed: int = 0
    loss: DetectionLossSettings = field(default_factory=DetectionLossSettings)

    def __post_init__(self):
        for name in ("images", "batch_size", "accumulate", "sizes_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        choices = {
            "optimizer": ("adamw", "sgd"),
            "schedule": ("cosine", "polynomial", "steps", "constant"),
            "precision": ("auto", "float32", "bfloat16", "float16"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; not {getattr(self, name)!r}")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"a batch of {self.batch_size} pictures cannot be cut into {self.accumulate} equal portions"
            )
        if self.last_images and not self.sizes:
            raise ValueError(f"last_images is {self.last_images}, but there are no sizes of which to take the largest")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, not {self.learning_rate}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average is a decay, at least 0 and under 1, not {self.average}")
        if self.schedule == "steps" and list(self.steps) != sorted(self.steps):
            raise ValueError(f"steps must be in rising order, not {self.steps}")
        for size in (self.size, *self.sizes, self.use_size):
            Preprocess(size, self.rule)  # raises where a size or the rule cannot work
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError(f"max_seconds must be above 0, not {self.max_seconds}")

    @property
    def use_size(self) -> int:
        """Side of the trained network's input, pixels."""
        return self.size if self.test_size is None else self.test_size

    @property
    def preprocess(self) -> Preprocess:
        """How pictures must be prepared for a network trained like this."""
        return Preprocess(self.use_size, self.rule)
