"""Every function that ``qa stats`` calls, by its published name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qa.stats import (
    agreement,
    allocation,
    autoscorers,
    charts,
    effect,
    funnels,
    icc,
    sampling,
    shrinkage,
    small_samples,
    two_raters,
    verdicts,
    weighting,
)

FUNCTIONS: Mapping[str, Callable[..., Mapping[str, Any]]] = {
    function.__name__: function
    for function in (
        small_samples.wilson,
        small_samples.diff_proportions,
        small_samples.mean_t,
        small_samples.mean_pooled,
        small_samples.fpc,
        small_samples.n_to_detect,
        small_samples.detectable_change,
        small_samples.n_for_icc,
        verdicts.verdict,
        verdicts.still_needed,
        shrinkage.james_stein,
        shrinkage.random_effects,
        shrinkage.variance_components,
        shrinkage.empirical_bayes,
        shrinkage.expected_rank,
        shrinkage.rank_range,
        funnels.funnel,
        funnels.funnel_by_lot,
        charts.xmr,
        charts.ewma,
        charts.p_chart,
        charts.laney_p,
        effect.did,
        effect.expected_rtm,
        sampling.uniform,
        sampling.select_random,
        sampling.inclusion_probabilities,
        sampling.select_pps,
        sampling.select_systematic,
        weighting.weighted_mean,
        weighting.stratified_mean,
        allocation.allocate,
        agreement.alpha,
        agreement.gwet_ac,
        agreement.fleiss,
        agreement.conger,
        two_raters.cohen,
        icc.icc,
        two_raters.bias,
        agreement.percent_agreement,
        autoscorers.rogan_gladen,
        autoscorers.prevalence_ci,
        autoscorers.confusion,
        autoscorers.combine_binary,
        autoscorers.combine_numeric,
        autoscorers.ppi,
    )
}
