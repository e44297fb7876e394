// Certificates for tests of TLS: authorities made on the spot, and what they sign for 127.0.0.1 and localhost.
//
// Threading: values. Failure: the process ends, as a test that has no certificate has nothing to say.
//
//   const Authority authority("my authority");
//   const KeyPair server = authority.Issue("server");
#ifndef SIGHTLINE_TESTS_SUPPORT_CERTIFICATES_H_
#define SIGHTLINE_TESTS_SUPPORT_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace sightline::testing {

// PEM texts.
struct KeyPair {
  std::string certificate;
  std::string key;
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // `days` from now on; a negative number makes one that has ended.
  KeyPair Issue(const std::string& common_name, int days = 30) const;
  // Its own certificate, PEM.
  const std::string& pem() const { return pem_; }

 private:
  const std::string name_;
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> certificate_;
  std::string pem_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_CERTIFICATES_H_
