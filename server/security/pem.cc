#include "server/security/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::server {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;

BioPtr Reader(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// The oldest error is the one closest to the cause.
std::string OpenSslWords() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

absl::Status Broken(const std::string& path, absl::string_view problem, absl::string_view remedy) {
  ERR_clear_error();
  return base::InvalidArgument("CERTIFICATE_FILE_INVALID", absl::StrCat(path, " ", problem, ". ", remedy),
                               {{"path", path}});
}

// Without asking anybody for a passphrase.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<std::vector<X509Ptr>> Certificates(const std::string& path, const std::string& text) {
  const BioPtr reader = Reader(text);
  std::vector<X509Ptr> certificates;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return Broken(path, absl::StrCat("holds a damaged certificate, the one numbered ", certificates.size() + 1),
                  "Copy the file again, whole.");
  }
  ERR_clear_error();
  if (certificates.empty())
    return Broken(path, "holds no PEM certificate", "Name a file with BEGIN CERTIFICATE in it.");
  return certificates;
}

absl::StatusOr<KeyPtr> PrivateKey(const std::string& path, const std::string& text) {
  const BioPtr reader = Reader(text);
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, &asked));
  if (key != nullptr) return key;
  if (asked) {
    return Broken(path, "holds a key with a passphrase, which a server that starts by itself cannot give",
                  "Remove it with `openssl pkey`, and let only the server's user read the file.");
  }
  return Broken(path, "holds no PEM private key", "Name a file with BEGIN PRIVATE KEY in it.");
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<Identity> ReadIdentity(const std::string& certificate_path, const std::string& key_path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string chain, base::ReadFile(certificate_path, kMaxPemBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string secret, base::ReadFile(key_path, kMaxPemBytes));
  Identity identity;
  // As it will be served: whatever else the two files hold, what is checked is what is used.
  identity.pem = absl::StrCat(chain, "\n", secret);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<X509Ptr> certificates, Certificates(certificate_path, identity.pem));
  SIGHTLINE_ASSIGN_OR_RETURN(const KeyPtr key, PrivateKey(key_path, identity.pem));
  if (X509_check_private_key(certificates.front().get(), key.get()) != 1) {
    return Broken(certificate_path, absl::StrCat("is not the certificate of the key in ", key_path),
                  "Write both files of one pair; while they are being replaced this passes by itself.");
  }
  const ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr || SSL_CTX_use_certificate(context.get(), certificates.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return Broken(certificate_path, absl::StrCat("is refused by OpenSSL: ", OpenSslWords()),
                  "Make a new pair, of 2048 bits RSA or of P-256 at least.");
  }
  identity.not_before = TimeOf(X509_get0_notBefore(certificates.front().get()));
  identity.not_after = TimeOf(X509_get0_notAfter(certificates.front().get()));
  return identity;
}

bool ReadableByAll(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0;
}

absl::StatusOr<std::string> ReadAuthorities(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path, kMaxPemBytes));
  SIGHTLINE_RETURN_IF_ERROR(Certificates(path, text).status());
  return text;
}

}  // namespace sightline::server
