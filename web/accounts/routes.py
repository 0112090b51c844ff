"""Routes of accounts: signing in, one's own account, sharing, and what administrators manage."""

from __future__ import annotations

from starlette.routing import Route

from web.pages import account, oidc, people, sharing, sign_in


def account_routes() -> list[Route]:
    """All of them. Whatever changes something is POST, and read by `web.accounts.forms.read_form`."""
    read = [
        ("/sign-in", sign_in.form, "sign_in"),
        ("/sign-in/elsewhere", oidc.begin, "oidc_begin"),
        ("/sign-in/return", oidc.finish, "oidc_return"),
        ("/forgot", sign_in.forgot_form, "forgot"),
        ("/reset", sign_in.reset_form, "reset"),
        ("/account", account.account, "account"),
        ("/share", sharing.follow, "share"),
        ("/shared", sharing.shared, "shared"),
        ("/account/shares", sharing.shares, "shares"),
        ("/people", people.users, "people"),
        ("/people/audit", people.audit_log, "audit"),
        ("/people/groups", people.all_groups, "groups"),
        ("/people/group", people.group, "group"),
    ]
    write = [
        ("/sign-in", sign_in.submit, "sign_in_submit"),
        ("/sign-out", sign_in.sign_out, "sign_out"),
        ("/forgot", sign_in.forgot_submit, "forgot_submit"),
        ("/reset", sign_in.reset_submit, "reset_submit"),
        ("/account/password", account.change_password, "password"),
        ("/account/sessions/end", account.end_session, "session_end"),
        ("/account/tokens", account.make_token, "token_make"),
        ("/account/tokens/revoke", account.revoke_token, "token_revoke"),
        ("/account/shares", sharing.make, "share_make"),
        ("/account/shares/revoke", sharing.revoke, "share_revoke"),
        ("/people", people.add_user, "people_add"),
        ("/people/change", people.change_user, "people_change"),
        ("/people/groups", people.add_group, "group_add"),
        ("/people/group", people.change_group, "group_change"),
    ]
    return [
        *(Route(path, handler, methods=["GET"], name=f"page:{name}") for path, handler, name in read),
        *(Route(path, handler, methods=["POST"], name=f"post:{name}") for path, handler, name in write),
    ]
