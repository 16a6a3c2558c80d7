"""Which part of a cluster is looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_EVERYWHERE: Final = ("",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Which objects of a kind: those of one namespace, the one of a name, those with some labels; by default all."""

    namespace: str = ""
    name: str = ""
    selector: str = ""

    @property
    def fields(self) -> str:
        """As a field selector. RBAC takes it for the name, where it allows that name only."""
        return f"metadata.name={self.name}" if self.name else ""

    @property
    def params(self) -> Mapping[str, str]:
        """Of a request to list or watch it."""
        wanted = {"labelSelector": self.selector, "fieldSelector": self.fields}
        return {key: value for key, value in wanted.items() if value}

    def covers(self, namespace: str, name: str) -> bool:
        """Whether an object of that namespace and name can be in it."""
        return self.namespace in ("", namespace) and self.name in ("", name)


ALL: Final = Extent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the operator works."""

    operator_namespace: str
    """Its annotations are the kill switch of the whole cluster."""
    namespaces: tuple[str, ...] = ()
    """Whose deployments it serves; empty: all."""

    @property
    def places(self) -> tuple[str, ...]:
        """What lists and watches of namespaced kinds ask for, one after the other; "" stands for all."""
        return self.namespaces or _EVERYWHERE

    def extents(self, selector: str = "") -> Iterator[Extent]:
        """Of a namespaced kind."""
        return (Extent(namespace=place, selector=selector) for place in self.places)

    def switches(self) -> Iterator[Extent]:
        """Of the Namespaces that carry a kill switch which matters here."""
        carriers = sorted({*self.namespaces, self.operator_namespace}) if self.namespaces else _EVERYWHERE
        return (Extent(name=carrier) for carrier in carriers)
