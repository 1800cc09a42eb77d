"""TAM-RL: task-aware modulation with representation learning (Rozanov, Renganathan & Kumar 2026, arXiv 2603.09974).

A task is a site. The encoder reads its support set, here the site's own mean seasonal cycle of drivers, which is the same
in training and on the map, and gives a code; the code modulates a decoder that runs over consecutive steps.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from tamrl.models.parts.options import Context, Count, Days, Part, Recurrent, Share, Width
from tamrl.plugins import Dims, ModelCapabilities, TrainingCost

if TYPE_CHECKING:
    from tamrl.models.parts.recurrent import TamRl


class Options(Recurrent):
    """Options of TAM-RL."""

    hidden: Width = 32
    """Width of the LSTM of each stream."""
    code: Width = 16
    """Width of the code of a site, of each stream."""
    streams: Count = 4
    """Encoders with their decoders that learn side by side and are averaged."""
    balance: Literal["exact", "penalty", "reconciled"] = "penalty"
    """`exact`: GPP and RECO are predicted, NEE is their difference. `penalty`: three fluxes are predicted, the loss adds the
    imbalance in gC m-2 d-1, and what is delivered is the nearest triple that closes. `reconciled`: as `penalty`, and nearest
    in terms of the errors at the validation towers (with `training.validation`; without, as `penalty`)."""
    loss: Literal["laplace", "huber", "squared"] = "laplace"
    """As in `training`. `laplace`: the likelihood of the fluxes under an error that the network estimates for every step, so that
    noisy towers do not drown the others; `huber` and `squared`: one scale of errors for all."""
    context: Context | None = None
    """Days of the windows that are decoded on their own, each giving its second half; null carries the memory along."""
    support: Literal["climatology", "years", "window"] = "climatology"
    """What a site's code is read from: its mean seasonal cycle of drivers; its three most complete years; or, as in the public
    code, the window to predict itself (needs `context`; a day then sees the later days of its own window too)."""
    encoder: Literal["recurrent", "periodic", "shifted"] = "periodic"
    """`periodic`: convolutions around the year, to which it does not matter where the year begins. `shifted`: an LSTM in both
    directions, which in training begins anywhere in the year. `recurrent`: the LSTM, for which the year of the south is turned by
    half a year: a rule that the equator shows. It is what other support sets than the climatology need."""
    forgiven: Share | None = 0.5
    """As in `training`: share of the mean residual of a training sequence that costs nothing."""
    pretrain: Part = 0.0
    """Share of the training steps in which the decoder learns alone, before the encoder joins."""
    windows: tuple[Days, ...] = (30, 120, 365)
    """Days over which running means of the drivers join the decoders' inputs."""
    plain: Share = 0.5
    """Share of the streams, rounded down, whose decoders do without these means: streams that differ err less together."""

    @model_validator(mode="after")
    def _has_windows(self) -> "Options":
        if self.support == "window" and self.context is None:
            raise ValueError("support: window needs context: DAYS")
        if self.encoder != "recurrent" and self.support != "climatology":
            raise ValueError(f"encoder: {self.encoder} needs support: climatology, which begins again where it ends")
        return self


def capabilities(options: Options) -> ModelCapabilities:
    """A network whose code follows from the support set, unless that is the window to predict."""
    return ModelCapabilities(
        closes=True,
        memory=options.context is None,
        adapts=() if options.support == "window" else ("code", "weights"),
        cost=TrainingCost("network", width=options.hidden, streams=options.streams),
        ahead=options.context // 2 - 1 if options.support == "window" and options.context else 0,
        learns_sums=options.context is None,
    )


def build(dims: Dims, options: Options) -> "TamRl":
    """An untrained network."""
    from tamrl.models.parts.recurrent import TamRl

    return TamRl(
        dims,
        hidden=options.hidden,
        layers=options.layers,
        code=options.code,
        dropout=options.dropout,
        streams=options.streams,
        plain=options.plain,
        balance=options.balance,
        likelihood=options.loss == "laplace",
        context=options.context,
        own_window=options.support == "window",
        pretrain=options.pretrain,
        encoder=options.encoder,
    )
