#include "server/http/http_tls.h"

#include <gnutls/x509.h>

#include <array>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr unsigned kMaxChain = 16;
constexpr size_t kMaxCommonName = 256;

// One of a process, as GnuTLS's questions name no object.
std::atomic<HttpTls*>& Instance() {
  static std::atomic<HttpTls*> instance = nullptr;
  return instance;
}

gnutls_datum_t DatumOf(const std::string& text) {
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())), static_cast<unsigned>(text.size())};
}

absl::Status TlsError(absl::string_view what, int code) {
  return base::InvalidArgument("TLS_FILE_REFUSED",
                               absl::StrCat("the HTTP address cannot use ", what, ": ", gnutls_strerror(code),
                                            ". Give a certificate that GnuTLS takes as well as OpenSSL."),
                               {{"actual", gnutls_strerror(code)}});
}

}  // namespace

struct HttpTls::Served {
  std::array<gnutls_pcert_st, kMaxChain> chain{};
  unsigned length = 0;
  gnutls_privkey_t key = nullptr;
  gnutls_x509_trust_list_t authorities = nullptr;  // null: callers need no certificate

  Served() = default;
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    for (unsigned i = 0; i < length; ++i) gnutls_pcert_deinit(&chain[i]);
    if (key != nullptr) gnutls_privkey_deinit(key);
    if (authorities != nullptr) gnutls_x509_trust_list_deinit(authorities, 1);
  }
};

HttpTls::HttpTls(const TlsFiles& files) : files_(files) {}

absl::StatusOr<std::unique_ptr<HttpTls>> HttpTls::Make(const TlsFiles& files) {
  std::unique_ptr<HttpTls> tls(new HttpTls(files));
  SIGHTLINE_RETURN_IF_ERROR(tls->Load());
  Instance() = tls.get();
  return tls;
}

HttpTls::~HttpTls() {
  HttpTls* self = this;
  Instance().compare_exchange_strong(self, nullptr);
}

const char* HttpTls::Priorities() { return "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"; }

absl::Status HttpTls::Load() {
  const TlsFiles::Content content = files_.content();
  auto served = std::make_unique<Served>();
  const gnutls_datum_t identity = DatumOf(content.identity);
  unsigned length = kMaxChain;
  int code = gnutls_pcert_list_import_x509_raw(served->chain.data(), &length, &identity, GNUTLS_X509_FMT_PEM, 0);
  if (code < 0) return TlsError("--tls_cert", code);
  served->length = length;
  if (code = gnutls_privkey_init(&served->key); code < 0) return TlsError("--tls_key", code);
  code = gnutls_privkey_import_x509_raw(served->key, &identity, GNUTLS_X509_FMT_PEM, nullptr, 0);
  if (code < 0) return TlsError("--tls_key", code);
  if (!content.authorities.empty()) {
    if (code = gnutls_x509_trust_list_init(&served->authorities, 0); code < 0) return TlsError("--tls_client_ca", code);
    const gnutls_datum_t authorities = DatumOf(content.authorities);
    code = gnutls_x509_trust_list_add_trust_mem(served->authorities, &authorities, nullptr, GNUTLS_X509_FMT_PEM, 0, 0);
    if (code <= 0) return TlsError("--tls_client_ca", code);
  }
  base::MutexLock lock(mutex_);
  version_ = content.version;
  current_ = served.get();
  served_.push_back(std::move(served));
  return absl::OkStatus();
}

const HttpTls::Served* HttpTls::Current() {
  const int64_t newest = files_.version();
  {
    base::MutexLock lock(mutex_);
    if (version_ == newest) return current_;
    version_ = newest;  // looked at once, whatever comes of it
  }
  if (const absl::Status status = Load(); !status.ok()) {
    base::Log(base::Severity::kError, "certificate not served by HTTP: the one before is",
              {{"error", std::string(status.message())}});
  }
  return current_;
}

gnutls_certificate_retrieve_function2* HttpTls::Retriever() {
  return [](gnutls_session_t session, const gnutls_datum_t*, int, const gnutls_pk_algorithm_t*, int,
            gnutls_pcert_st** chain, unsigned* length, gnutls_privkey_t* key) {
    HttpTls* const tls = Instance();
    const Served* const served = tls == nullptr ? nullptr : tls->Current();
    if (served == nullptr) return -1;
    if (served->authorities != nullptr) {
      gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
      gnutls_session_set_verify_function(session, [](gnutls_session_t asked) {
        const HttpTls* const instance = Instance();
        return instance == nullptr ? -1 : instance->Verify(asked);
      });
    }
    *chain = const_cast<gnutls_pcert_st*>(served->chain.data());
    *length = served->length;
    *key = served->key;
    return 0;
  };
}

int HttpTls::Verify(gnutls_session_t session) const {
  const Served* const served = current_;
  if (served->authorities == nullptr) return -1;
  unsigned count = 0;
  const gnutls_datum_t* const shown = gnutls_certificate_get_peers(session, &count);
  if (shown == nullptr || count == 0 || count > kMaxChain) return -1;
  std::array<gnutls_x509_crt_t, kMaxChain> chain{};
  unsigned made = 0;
  const auto free = absl::MakeCleanup([&] {
    for (unsigned i = 0; i < made; ++i) gnutls_x509_crt_deinit(chain[i]);
  });
  while (made < count) {
    if (gnutls_x509_crt_init(&chain[made]) < 0) return -1;
    ++made;
    if (gnutls_x509_crt_import(chain[made - 1], &shown[made - 1], GNUTLS_X509_FMT_DER) < 0) return -1;
  }
  const char* const purpose = GNUTLS_KP_TLS_WWW_CLIENT;
  gnutls_typed_vdata_st for_clients = {GNUTLS_DT_KEY_PURPOSE_OID,
                                       reinterpret_cast<unsigned char*>(const_cast<char*>(purpose)), 0};
  unsigned problems = 0;
  const int code = gnutls_x509_trust_list_verify_crt2(served->authorities, chain.data(), count, &for_clients, 1, 0,
                                                      &problems, nullptr);
  return code == 0 && problems == 0 ? 0 : -1;
}

std::string HttpTls::CallerName(gnutls_session_t session) {
  unsigned count = 0;
  const gnutls_datum_t* const shown = gnutls_certificate_get_peers(session, &count);
  HttpTls* const tls = Instance();
  const Served* const served = tls == nullptr ? nullptr : tls->current_.load();
  // A certificate that nobody has verified is no name.
  if (shown == nullptr || count == 0 || served == nullptr || served->authorities == nullptr) return "";
  gnutls_x509_crt_t certificate = nullptr;
  if (gnutls_x509_crt_init(&certificate) < 0) return "";
  const auto free = absl::MakeCleanup([&] { gnutls_x509_crt_deinit(certificate); });
  if (gnutls_x509_crt_import(certificate, &shown[0], GNUTLS_X509_FMT_DER) < 0) return "";
  std::array<char, kMaxCommonName> name{};
  size_t size = name.size();
  if (gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name.data(), &size) < 0) return "";
  return std::string(name.data(), size);
}

}  // namespace sightline::server
