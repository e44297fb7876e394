// What is found wrong with certificates and keys before TLS would find it in a handshake.
#include "server/security/pem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "server/security/memory_file.h"
#include "tests/support/certificates.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::sightline::testing::Authority;
using ::sightline::testing::KeyPair;
using ::testing::HasSubstr;

class PemTest : public ::testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& content) {
    const std::string path = folder_.Path(name);
    EXPECT_TRUE(base::WriteFileDurably(path, content).ok());
    return path;
  }
  std::string Words(const std::string& certificate, const std::string& key) {
    return std::string(ReadIdentity(File("cert.pem", certificate), File("key.pem", key)).status().message());
  }

  const sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
  const Authority authority_{"authority"};
  const KeyPair pair_ = authority_.Issue("server");
};

TEST_F(PemTest, TakesAPairWithItsChain) {
  const auto identity =
      ReadIdentity(File("cert.pem", pair_.certificate + authority_.pem()), File("key.pem", pair_.key));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_GT(identity->not_after, absl::Now() + absl::Hours(24 * 29));
  EXPECT_LT(identity->not_before, absl::Now());
  EXPECT_TRUE(ReadAuthorities(File("ca.pem", authority_.pem() + Authority("second").pem())).ok());
}

TEST_F(PemTest, SaysWhatIsWrong) {
  const KeyPair other = authority_.Issue("other");
  EXPECT_THAT(Words("", pair_.key), HasSubstr("holds no PEM certificate"));
  EXPECT_THAT(Words(pair_.key, pair_.key), HasSubstr("holds no PEM certificate"));
  EXPECT_THAT(Words(pair_.certificate, ""), HasSubstr("holds no PEM private key"));
  EXPECT_THAT(Words(pair_.certificate, other.key), HasSubstr("is not the certificate of the key"));
  EXPECT_THAT(Words(pair_.certificate.substr(0, pair_.certificate.size() / 2), pair_.key), HasSubstr("cert"));
  std::string damaged = pair_.certificate;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_NE(Words(damaged, pair_.key), "");
  EXPECT_THAT(Words(pair_.certificate,
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjNDk==\n"
                    "-----END ENCRYPTED PRIVATE KEY-----\n"),
              HasSubstr("key.pem"));
  EXPECT_THAT(std::string(ReadIdentity(folder_.Path("none"), folder_.Path("none")).status().message()),
              HasSubstr("cannot open"));
  EXPECT_FALSE(ReadAuthorities(File("ca.pem", "no certificates")).ok());
}

TEST_F(PemTest, SurvivesBytesThatAreFlipped) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 200; ++i) {
    std::string text = pair_.certificate + pair_.key;
    for (int e = 0; e < 3; ++e) text[random() % text.size()] = static_cast<char>(random());
    const auto identity = ReadIdentity(File("cert.pem", text), File("key.pem", "\n"));
    if (!identity.ok()) {
      ASSERT_FALSE(identity.status().message().empty());
    }
  }
}

TEST(PemFileTest, AKeyThatEveryUserCanReadIsNoticed) {
  const sightline::testing::TempFolder folder;
  const std::string path = folder.Path("key.pem");
  ASSERT_TRUE(base::WriteFileDurably(path, "key").ok());
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_FALSE(ReadableByAll(path));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_TRUE(ReadableByAll(path));
  EXPECT_FALSE(ReadableByAll(folder.Path("none")));
}

TEST(MemoryFileTest, IsReplacedInOneStep) {
  const auto file = *MemoryFile::Create("old");
  EXPECT_EQ(*base::ReadFile(file->path(), 100), "old");
  ASSERT_TRUE(file->Replace("new content").ok());
  EXPECT_EQ(*base::ReadFile(file->path(), 100), "new content");
}

}  // namespace
}  // namespace sightline::server
