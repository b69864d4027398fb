//! The credentials of providers that can be told by a literal. Formats are facts from the providers' documentation; where
//! several rule sets know one, the kind has the name that they share, without the word for its product line.

use super::Certainty::{Certain, Possible};
use super::shape::Class::{Alphanumeric, Base64, Hex, Letters, Token, Upper, Url, Word};
use super::shape::Part::{Run, Text};
use super::shape::{Part, Shape};

const fn certain(
    kind: &'static str,
    literals: &'static [&'static str],
    parts: &'static [Part],
) -> Shape {
    Shape { kind, certainty: Certain, literals, parts }
}

const fn possible(
    kind: &'static str,
    literals: &'static [&'static str],
    parts: &'static [Part],
) -> Shape {
    Shape { kind, certainty: Possible, literals, parts }
}

/// Clouds. The ids of AWS' access keys stand in `text`.
const CLOUDS: &[Shape] = &[
    // AWS Bedrock, API keys; gitleaks aws-amazon-bedrock-api-key.
    certain("aws_bedrock_api_key", &["ABSK"], &[Run(Base64, 109, 275)]),
    // Google Cloud, "Authenticate by using API keys"; trufflehog GoogleAPIKey.
    certain("google_api_key", &["AIza"], &[Run(Url, 35, 35)]),
    // Google, OAuth 2.0 clients; GitHub google_oauth_client_secret.
    certain("google_oauth_client_secret", &["GOCSPX-"], &[Run(Url, 28, 28)]),
    certain("google_oauth_access_token", &["ya29."], &[Run(Url, 20, 1_024)]),
    certain("google_oauth_refresh_token", &["1//0"], &[Run(Url, 40, 512)]),
    // Azure connection strings: keys of 64 bytes (Storage, Cosmos DB) and of 32 (Service Bus, Event Hubs).
    certain("azure_storage_account_key", &["AccountKey="], &[Run(Base64, 88, 88)]),
    certain("azure_shared_access_key", &["SharedAccessKey="], &[Run(Base64, 44, 44)]),
    certain("alibaba_access_key_id", &["LTAI"], &[Run(Alphanumeric, 20, 20)]),
    certain("digitalocean_token", &["dop_v1_", "doo_v1_", "dor_v1_"], &[Run(Hex, 64, 64)]),
    certain("databricks_token", &["dapi"], &[Run(Hex, 32, 32)]),
    certain("fly_token", &["fo1_"], &[Run(Url, 43, 43)]),
    certain("heroku_api_key", &["HRKU-AA"], &[Run(Url, 58, 58)]),
    certain("netlify_token", &["nfp_"], &[Run(Alphanumeric, 36, 36)]),
    certain(
        "planetscale_token",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        &[Run(Url, 32, 64)],
    ),
    // Supabase: tokens of accounts, and secret keys of projects (the publishable ones are public).
    certain("supabase_token", &["sbp_"], &[Run(Hex, 40, 40)]),
    certain("supabase_secret_key", &["sb_secret_"], &[Run(Url, 31, 64)]),
    certain(
        "cloudflare_origin_ca_key",
        &["v1.0-"],
        &[Run(Hex, 24, 24), Text("-"), Run(Hex, 146, 146)],
    ),
    certain("openshift_token", &["sha256~"], &[Run(Url, 43, 43)]),
];

/// Forges, registries and what builds.
const FORGES: &[Shape] = &[
    // GitHub, "Behind GitHub's new authentication token formats": 36 characters, a checksum at their end.
    certain(
        "github_token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        &[Run(Alphanumeric, 36, 36)],
    ),
    certain("github_fine_grained_token", &["github_pat_"], &[Run(Word, 82, 82)]),
    // GitLab, "Token prefixes".
    certain(
        "gitlab_token",
        &[
            "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glimt-",
            "glagent-", "gloas-",
        ],
        &[Run(Token, 20, 300)],
    ),
    certain("bitbucket_token", &["ATBB"], &[Run(Alphanumeric, 32, 32)]),
    certain("atlassian_token", &["ATATT3", "ATCTT3"], &[Run(Token, 170, 300)]),
    certain("npm_token", &["npm_"], &[Run(Alphanumeric, 36, 36)]),
    certain("pypi_token", &["pypi-AgEIcHlwaS5vcmc"], &[Run(Url, 50, 1_000)]),
    certain("rubygems_token", &["rubygems_"], &[Run(Hex, 48, 48)]),
    certain("docker_token", &["dckr_pat_"], &[Run(Url, 27, 27)]),
    certain("docker_token", &["dckr_oat_"], &[Run(Url, 32, 32)]),
    certain("artifactory_api_key", &["AKCp"], &[Run(Alphanumeric, 69, 69)]),
    certain("artifactory_reference_token", &["cmVmdGtuOj"], &[Run(Alphanumeric, 50, 60)]),
    certain("pulumi_token", &["pul-"], &[Run(Hex, 40, 40)]),
    certain("prefect_token", &["pnu_"], &[Run(Alphanumeric, 36, 36)]),
    // HashiCorp, "Tokens": service, batch and recovery tokens since Vault 1.10.
    certain("vault_token", &["hvs.", "hvb.", "hvr."], &[Run(Url, 24, 300)]),
    certain(
        "doppler_token",
        &["dp.pt.", "dp.sa.", "dp.ct.", "dp.scim.", "dp.audit."],
        &[Run(Alphanumeric, 40, 44)],
    ),
    certain("1password_service_account_token", &["ops_eyJ"], &[Run(Base64, 250, 1_500)]),
    // age: Bech32 of a key of 32 bytes.
    certain("age_secret_key", &["AGE-SECRET-KEY-1"], &[Run(Upper, 58, 58)]),
];

/// Models and what is around them.
const MODELS: &[Shape] = &[
    certain("anthropic_api_key", &["sk-ant-"], &[Run(Url, 40, 200)]),
    certain("openai_api_key", &["sk-proj-", "sk-svcacct-", "sk-admin-"], &[Run(Url, 40, 200)]),
    certain("openrouter_api_key", &["sk-or-v1-"], &[Run(Hex, 64, 64)]),
    // Of OpenAI's first years, and of those whose interface is like OpenAI's (DeepSeek has 32 digits: numbers of articles have them too).
    possible("deepseek_api_key", &["sk-"], &[Run(Hex, 32, 32)]),
    certain("openai_api_key", &["sk-"], &[Run(Alphanumeric, 33, 64)]),
    certain("huggingface_token", &["hf_"], &[Run(Alphanumeric, 34, 37)]),
    certain("huggingface_token", &["api_org_"], &[Run(Letters, 34, 34)]),
    certain("replicate_token", &["r8_"], &[Run(Alphanumeric, 37, 37)]),
    certain("groq_api_key", &["gsk_"], &[Run(Alphanumeric, 52, 52)]),
    certain("perplexity_api_key", &["pplx-"], &[Run(Alphanumeric, 48, 48)]),
    certain("xai_api_key", &["xai-"], &[Run(Alphanumeric, 80, 80)]),
    certain("pinecone_api_key", &["pcsk_"], &[Run(Word, 60, 80)]),
    certain(
        "langsmith_api_key",
        &["lsv2_pt_", "lsv2_sk_"],
        &[Run(Hex, 32, 32), Text("_"), Run(Hex, 10, 10)],
    ),
];

/// Money.
const PAYMENTS: &[Shape] = &[
    // Stripe, "API keys": secret and restricted ones. Publishable ones (pk_) are public.
    certain(
        "stripe_api_key",
        &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"],
        &[Run(Alphanumeric, 16, 247)],
    ),
    certain("stripe_webhook_secret", &["whsec_"], &[Run(Base64, 32, 88)]),
    certain("square_token", &["sq0atp-"], &[Run(Url, 22, 22)]),
    certain("square_token", &["sq0csp-"], &[Run(Url, 43, 43)]),
    certain("square_token", &["EAAA"], &[Run(Url, 60, 60)]),
    certain(
        "braintree_token",
        &["access_token$production$", "access_token$sandbox$"],
        &[Run(Alphanumeric, 16, 16), Text("$"), Run(Hex, 32, 32)],
    ),
    certain("flutterwave_secret_key", &["FLWSECK-", "FLWSECK_TEST-"], &[Run(Alphanumeric, 32, 32)]),
    certain(
        "plaid_access_token",
        &["access-sandbox-", "access-development-", "access-production-"],
        &[
            Run(Hex, 8, 8),
            Text("-"),
            Run(Hex, 4, 4),
            Text("-"),
            Run(Hex, 4, 4),
            Text("-"),
            Run(Hex, 4, 4),
            Text("-"),
            Run(Hex, 12, 12),
        ],
    ),
    certain("lob_api_key", &["live_", "test_"], &[Run(Hex, 35, 35)]),
    certain("easypost_api_key", &["EZAK", "EZTK"], &[Run(Alphanumeric, 54, 54)]),
];

/// What an application syncs with.
const APPLICATIONS: &[Shape] = &[
    // Slack, "Token types"; each has numbers of the workspace in front.
    certain(
        "slack_token",
        &[
            "xoxb-",
            "xoxp-",
            "xoxa-",
            "xoxr-",
            "xoxs-",
            "xoxe-",
            "xoxe.xoxb-",
            "xoxe.xoxp-",
            "xoxd-",
            "xapp-",
        ],
        &[Run(Token, 20, 400)],
    ),
    certain("shopify_token", &["shpat_", "shpca_", "shppa_", "shpss_"], &[Run(Hex, 32, 32)]),
    // HubSpot, "Private apps": a data centre and a UUID.
    certain(
        "hubspot_token",
        &["pat-na1-", "pat-na2-", "pat-eu1-", "pat-ap1-"],
        &[
            Run(Hex, 8, 8),
            Text("-"),
            Run(Hex, 4, 4),
            Text("-"),
            Run(Hex, 4, 4),
            Text("-"),
            Run(Hex, 4, 4),
            Text("-"),
            Run(Hex, 12, 12),
        ],
    ),
    // Salesforce, OAuth 2.0: refresh tokens of a connected app; access tokens stand in `text`.
    certain("salesforce_refresh_token", &["5Aep"], &[Run(Token, 60, 120)]),
    certain("airtable_token", &["pat"], &[Run(Alphanumeric, 14, 14), Text("."), Run(Hex, 64, 64)]),
    certain("notion_token", &["ntn_"], &[Run(Alphanumeric, 43, 50)]),
    certain("notion_token", &["secret_"], &[Run(Alphanumeric, 43, 43)]),
    certain("linear_token", &["lin_api_", "lin_oauth_"], &[Run(Alphanumeric, 40, 64)]),
    certain("figma_token", &["figd_"], &[Run(Url, 40, 48)]),
    certain("typeform_token", &["tfp_"], &[Run(Token, 59, 59)]),
    certain("contentful_token", &["CFPAT-"], &[Run(Url, 43, 43)]),
    certain("postman_api_key", &["PMAK-"], &[Run(Hex, 24, 24), Text("-"), Run(Hex, 34, 34)]),
    certain(
        "facebook_access_token",
        &["EAAC", "EAAM", "EAAG", "EAAB"],
        &[Run(Alphanumeric, 90, 400)],
    ),
    certain("dropbox_token", &["sl.u.", "sl.B"], &[Run(Url, 120, 1_500)]),
    certain(
        "mapbox_secret_token",
        &["sk.eyJ1Ijoi"],
        &[Run(Url, 40, 200), Text("."), Run(Url, 20, 24)],
    ),
    certain("adafruit_key", &["aio_"], &[Run(Alphanumeric, 28, 28)]),
    certain("readme_api_key", &["rdme_"], &[Run(Alphanumeric, 70, 70)]),
    certain("duffel_token", &["duffel_live_", "duffel_test_"], &[Run(Token, 43, 43)]),
];

/// Mail, messages and telemetry.
const MAIL: &[Shape] = &[
    certain("sendgrid_api_key", &["SG."], &[Run(Url, 22, 22), Text("."), Run(Url, 43, 43)]),
    certain(
        "brevo_api_key",
        &["xkeysib-", "xsmtpsib-"],
        &[Run(Hex, 64, 64), Text("-"), Run(Alphanumeric, 16, 16)],
    ),
    certain(
        "resend_api_key",
        &["re_"],
        &[Run(Alphanumeric, 8, 8), Text("_"), Run(Alphanumeric, 24, 24)],
    ),
    certain("mailersend_token", &["mlsn."], &[Run(Hex, 64, 64)]),
    // These have the form of an id with a hash in it, and are told and never refused.
    possible("mailgun_api_key", &["key-"], &[Run(Hex, 32, 32)]),
    possible("twilio_api_key", &["SK"], &[Run(Hex, 32, 32)]),
    certain("grafana_token", &["glsa_"], &[Run(Alphanumeric, 32, 32), Text("_"), Run(Hex, 8, 8)]),
    certain("grafana_token", &["glc_eyJ"], &[Run(Base64, 32, 400)]),
    certain("new_relic_key", &["NRAK-"], &[Run(Upper, 27, 27)]),
    certain("sentry_token", &["sntrys_eyJ"], &[Run(Token, 60, 400)]),
    certain("sentry_token", &["sntryu_"], &[Run(Hex, 64, 64)]),
    certain("dynatrace_token", &["dt0c01."], &[Run(Upper, 24, 24), Text("."), Run(Upper, 64, 64)]),
];

pub(super) const GROUPS: &[&[Shape]] = &[CLOUDS, FORGES, MODELS, PAYMENTS, APPLICATIONS, MAIL];
