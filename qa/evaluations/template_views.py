"""Comment templates: keep one, change it, remove it."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.core import clock
from qa.core.errors import Invalid
from qa.evaluations import queries, templates_service
from qa.evaluations.forms import TemplateForm
from qa.evaluations.models import CommentTemplate
from qa.evaluations.work_views import bp
from qa.web.access import signed_in
from qa.web.context import current_actor, reading, transaction


@bp.route("/comment-templates", methods=["GET", "POST"])
@signed_in
def templates() -> ResponseReturnValue:
    """Show one's own and the shared comment templates; keep a new one."""
    form = TemplateForm(request.form)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                templates_service.add_template(
                    opened,
                    current_actor(),
                    title=str(form.title.data),
                    text=str(form.text.data),
                    shared=bool(form.shared.data),
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("Kept.", "success")
            return redirect(url_for(".templates"), 303)
    return _page(form, None)


@bp.route("/comment-templates/<int:template_id>", methods=["GET", "POST"])
@signed_in
def change_template(template_id: int) -> ResponseReturnValue:
    """Change a comment template."""
    with reading() as opened:
        changed = queries.get_template(opened, current_actor(), template_id)
    form = TemplateForm(request.form if request.method == "POST" else None, obj=changed)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                templates_service.change_template(
                    opened,
                    current_actor(),
                    template_id,
                    title=str(form.title.data),
                    text=str(form.text.data),
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("Changed. Comments that used it before stay as they are.", "success")
            return redirect(url_for(".templates"), 303)
    return _page(form, changed)


def _page(form: TemplateForm, changed: CommentTemplate | None) -> ResponseReturnValue:
    with reading() as opened:
        found = queries.list_templates(opened, current_actor())
    status = 422 if request.method == "POST" else 200
    return render_template("evaluations/templates.html", templates=found, form=form, changed=changed), status


@bp.post("/comment-templates/<int:template_id>/remove")
@signed_in
def remove_template(template_id: int) -> ResponseReturnValue:
    """Remove a comment template."""
    with transaction() as opened:
        templates_service.remove_template(opened, current_actor(), template_id, now=clock.now())
    flash("Removed.", "success")
    return redirect(url_for(".templates"), 303)
