// What --doctor says of keys, certificates, the audit log and the image decoder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/run_doctor.h"
#include "tests/e2e/security/keys_folder.h"
#include "tests/support/certificates.h"

namespace sightline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class SecurityDoctorTest : public ::testing::Test {
 protected:
  Diagnosis Run(const std::string& flags) {
    return RunDoctor(absl::StrCat("--data_dir=", folder_.Path("data"),
                                  " --listen=127.0.0.1:0 --http_listen=127.0.0.1:0 --admin_listen=127.0.0.1:0 ",
                                  flags));
  }
  KeysFolder folder_;
};

TEST_F(SecurityDoctorTest, SaysWhatIsOff) {
  const Diagnosis diagnosis = Run("");
  EXPECT_EQ(diagnosis.exit_code, 0) << diagnosis.text;
  EXPECT_THAT(diagnosis.text,
              AllOf(ContainsRegex("ok +keys +none are asked for"), ContainsRegex("ok +certificate +none"),
                    ContainsRegex("ok +audit log +none"),
                    ContainsRegex("ok +image decoder +.*decodes, confined by seccomp, with at most 445 MiB and 2s")));
}

TEST_F(SecurityDoctorTest, LooksAtKeysCertificateAndAuditLog) {
  folder_.WriteKeys({KeyEntry("a", "read"), KeyEntry("b", "admin")});
  const Authority authority("authority");
  const KeyPair pair = authority.Issue("server");
  folder_.Write("server.pem", pair.certificate);
  folder_.Write("server.key", pair.key);
  std::filesystem::permissions(folder_.Path("server.key"), std::filesystem::perms::owner_read);
  const std::string flags =
      absl::StrCat("--api_keys=", folder_.keys(), " --tls_cert=", folder_.Path("server.pem"),
                   " --tls_key=", folder_.Path("server.key"), " --audit_log=", folder_.Path("audit.log"),
                   " --admin_grpc_listen=127.0.0.1:0");
  const Diagnosis well = Run(flags);
  EXPECT_EQ(well.exit_code, 0) << well.text;
  EXPECT_THAT(well.text, AllOf(ContainsRegex("ok +keys +2 in "), ContainsRegex("ok +certificate +.* is good from "),
                               ContainsRegex("ok +audit log +/"), ContainsRegex("ok +--admin_grpc_listen")));
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("audit.log"))) << "it writes nothing";

  folder_.Write("keys.json", "{");
  folder_.Write("server.pem", "nothing");
  const Diagnosis ill = Run(flags);
  EXPECT_EQ(ill.exit_code, 1);
  EXPECT_THAT(ill.text, AllOf(ContainsRegex("FAIL +keys +.*is not JSON"),
                              ContainsRegex("FAIL +certificate +.*holds no PEM certificate")));
  EXPECT_THAT(Run("--audit_log=/nowhere/audit.log").text, ContainsRegex("FAIL +audit log +/nowhere"));
}

TEST_F(SecurityDoctorTest, WarnsOfWhatOthersReach) {
  const Diagnosis diagnosis = Run("--listen=0.0.0.0:0");
  EXPECT_EQ(diagnosis.exit_code, 0) << diagnosis.text;
  EXPECT_THAT(diagnosis.text, ContainsRegex("warn +addresses +listening on 0.0.0.0:0 without TLS and without keys"));
}

TEST_F(SecurityDoctorTest, ADecoderThatDoesNotStartOrIsNoneIsNamed) {
  const Diagnosis missing = Run("--decoder_program=/nowhere");
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.text, ContainsRegex("FAIL +image decoder +the image decoder '/nowhere' cannot be started"));
  const Diagnosis none = Run("--decode_isolation=none");
  EXPECT_EQ(none.exit_code, 0) << none.text;
  EXPECT_THAT(none.text, ContainsRegex("warn +image decoder +--decode_isolation=none"));
}

// A service manager may give a program no standard streams, and the next files that it opens get their numbers.
TEST_F(SecurityDoctorTest, StartsItsDecoderWithoutStandardStreams) {
  const Diagnosis without_input = Run("<&-");
  EXPECT_EQ(without_input.exit_code, 0) << without_input.text;
  EXPECT_THAT(without_input.text, Not(HasSubstr("FAIL")));
  // Nothing can be read of this one but how it ended: a line that says FAIL makes that 1. `#`: what RunDoctor adds is a
  // redirection.
  EXPECT_EQ(Run("<&- >&- 2>&- #").exit_code, 0);
}

}  // namespace
}  // namespace sightline::testing
