#include "tests/support/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdlib>

namespace sightline::testing {
namespace {

constexpr long kDaySeconds = 86400;

template <typename T>
T* Must(T* object) {
  if (object == nullptr) std::abort();
  return object;
}

std::shared_ptr<EVP_PKEY> NewKey() { return {Must(EVP_EC_gen("P-256")), EVP_PKEY_free}; }

template <typename Write>
std::string Pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(Must(BIO_new(BIO_s_mem())), BIO_free_all);
  if (write(out.get()) != 1) std::abort();
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

std::string CertificatePem(X509* certificate) {
  return Pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

void AddExtension(X509* certificate, int id, const char* value) {
  X509_EXTENSION* extension = Must(X509V3_EXT_conf_nid(nullptr, nullptr, id, value));
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void SetName(X509_NAME* name, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                             -1, 0);
}

// Signed by `issuer`'s key.
std::shared_ptr<X509> Make(const std::string& subject, const std::string& issuer, EVP_PKEY* key, EVP_PKEY* issuer_key,
                           int days, bool authority) {
  std::shared_ptr<X509> certificate(Must(X509_new()), X509_free);
  X509* const x = certificate.get();
  X509_set_version(x, 2);
  int64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_int64(X509_get_serialNumber(x), serial & 0x7FFF'FFFF'FFFF);
  X509_gmtime_adj(X509_getm_notBefore(x), -60 * kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(x), days * kDaySeconds);
  SetName(X509_get_subject_name(x), subject);
  SetName(X509_get_issuer_name(x), issuer);
  X509_set_pubkey(x, key);
  AddExtension(x, NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!authority) AddExtension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  if (X509_sign(x, issuer_key, EVP_sha256()) == 0) std::abort();
  return certificate;
}

}  // namespace

Authority::Authority(const std::string& name)
    : name_(name),
      key_(NewKey()),
      certificate_(Make(name, name, key_.get(), key_.get(), 30, /*authority=*/true)),
      pem_(CertificatePem(certificate_.get())) {}

Authority::~Authority() = default;

KeyPair Authority::Issue(const std::string& common_name, int days) const {
  const std::shared_ptr<EVP_PKEY> key = NewKey();
  const std::shared_ptr<X509> certificate = Make(common_name, name_, key.get(), key_.get(), days, /*authority=*/false);
  return {.certificate = CertificatePem(certificate.get()),
          .key = Pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace sightline::testing
