"""`gpu.type: auto` without a cluster: the operator's own choice among the nodes of a file."""

from meditron_operator.cli.clusters import read_cluster
from meditron_operator.cli.question import Question
from meditron_operator.core.auto import Choice, Refused, Terms, Wanted, choose, market


def chosen(question: Question, nodes: str) -> Choice | tuple[Refused, ...]:
    """The card that the operator would take today, or why it would take none. Raises BadInput."""
    cluster = read_cluster(nodes)
    terms = Terms(node_selector=question.node_selector, tolerations=question.tolerations)
    wanted = Wanted(on=question.on, terms=terms, replicas=question.replicas, others=cluster.others)
    return choose(wanted, market(cluster.nodes, terms), None)
