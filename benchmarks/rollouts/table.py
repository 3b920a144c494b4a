"""What every simulation hands back."""

from dataclasses import dataclass, field

from benchmarks.report import Claim


@dataclass
class Table:
    rows: list[dict[str, object]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    prefix: str = ""

    def tell(self, what: str, measured: float, unit: str, runs: int, error: float | None = None) -> None:
        """One row; `error` is the standard error of the measured figure, from run to run."""
        self.rows.append(
            {
                "what": self.prefix + what,
                "measured": f"{measured:.4g}",
                "+-": "" if error is None else f"{error:.2g}",
                "unit": unit,
                "runs": runs,
            }
        )

    def claim(
        self, what: str, aim: float, measured: float, unit: str, runs: int, *, more_is_better: bool = False
    ) -> None:
        self.tell(what, measured, unit, runs)
        self.claims.append(Claim(self.prefix + what, float(aim), float(measured), unit, more_is_better))
