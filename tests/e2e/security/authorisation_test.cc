// The authorisation matrix: every RPC of the API with every kind of credential, against the real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/e2e/security/generic_call.h"
#include "tests/e2e/security/keys_folder.h"
#include "tests/support/server_process.h"

namespace sightline::testing {
namespace {

// What a key that is limited to collections may do with a method: kOwn, if it names one of them; kShared, in any case,
// and the answer leaves out what is not its own; kNever.
enum class Limited { kOwn, kShared, kNever };

struct Row {
  const char* method;
  char scope;  // the smallest that is enough: r, w or a
  Limited limited;
};

// Written by hand, so that a change of the server's own table has to be made twice, knowingly.
constexpr Row kRows[] = {
    {"SearchService/Search", 'r', Limited::kOwn},
    {"SearchService/SearchStream", 'r', Limited::kOwn},
    {"SearchService/Embed", 'r', Limited::kNever},
    {"SearchService/Explain", 'r', Limited::kOwn},
    {"IndexService/Index", 'w', Limited::kOwn},
    {"IndexService/IndexStream", 'w', Limited::kOwn},
    {"IndexService/GetImage", 'r', Limited::kOwn},
    {"IndexService/ListImages", 'r', Limited::kOwn},
    {"IndexService/DeleteImages", 'w', Limited::kOwn},
    {"IndexService/UpdateAttributes", 'w', Limited::kOwn},
    {"CollectionService/CreateCollection", 'a', Limited::kOwn},
    {"CollectionService/GetCollection", 'r', Limited::kOwn},
    {"CollectionService/ListCollections", 'r', Limited::kShared},
    {"CollectionService/UpdateCollection", 'a', Limited::kOwn},
    {"CollectionService/DeleteCollection", 'a', Limited::kOwn},
    {"CollectionService/OptimizeCollection", 'w', Limited::kOwn},
    {"CollectionService/CreateSnapshot", 'a', Limited::kOwn},
    {"CollectionService/ListSnapshots", 'a', Limited::kOwn},
    {"CollectionService/RestoreSnapshot", 'a', Limited::kNever},
    {"CollectionService/DeleteSnapshot", 'a', Limited::kNever},
    {"CollectionService/DownloadSnapshot", 'a', Limited::kNever},
    {"CollectionService/UploadSnapshot", 'a', Limited::kNever},
    {"CollectionService/ReembedCollection", 'a', Limited::kOwn},
    {"CollectionService/DropOtherSpace", 'a', Limited::kOwn},
    {"CollectionService/FindDuplicates", 'r', Limited::kOwn},
    {"CollectionService/FitConfidence", 'w', Limited::kOwn},
    {"CollectionService/ListAttributeValues", 'r', Limited::kOwn},
    {"CollectionService/SetAlias", 'a', Limited::kOwn},
    {"CollectionService/DeleteAlias", 'a', Limited::kOwn},
    {"ModelService/ListModels", 'r', Limited::kShared},
    {"ModelService/GetModel", 'r', Limited::kShared},
    {"ModelService/LoadModel", 'a', Limited::kNever},
    {"ModelService/UnloadModel", 'a', Limited::kNever},
    {"OperationService/GetOperation", 'r', Limited::kShared},
    {"OperationService/ListOperations", 'r', Limited::kShared},
    {"OperationService/CancelOperation", 'a', Limited::kShared},
    {"ServerService/GetServerInfo", 'r', Limited::kShared},
};

int Rank(char scope) { return scope == 'r' ? 1 : scope == 'w' ? 2 : 3; }

enum class Verdict { kIn, kUnauthenticated, kDenied };

Verdict VerdictOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated: return Verdict::kUnauthenticated;
    case absl::StatusCode::kPermissionDenied: return Verdict::kDenied;
    default: return Verdict::kIn;
  }
}

TEST(AuthorisationTest, EveryRpcWithEveryCredential) {
  std::set<std::string> rows;
  for (const Row& row : kRows) rows.insert(row.method);
  std::set<std::string> methods;
  for (const auto& [name, method] : AllMethods()) methods.insert(name);
  ASSERT_EQ(rows, methods) << "each RPC has a row here";

  KeysFolder folder;
  folder.WriteKeys({KeyEntry("read", "read"), KeyEntry("write", "write"), KeyEntry("admin", "admin"),
                    KeyEntry("expired", "admin", R"("expires": "2020-01-01T00:00:00Z")"),
                    KeyEntry("own", "admin", R"("collections": ["v"])"),
                    KeyEntry("others", "admin", R"("collections": ["w", "vv*"])")});
  auto started = ServerProcess::Start({.folder = folder.path(), .flags = {"--api_keys=" + folder.keys()}});
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<ServerProcess> server = *std::move(started);
  GenericCall call(server->address(), grpc::InsecureChannelCredentials());

  const auto granted = [](bool yes) { return yes ? Verdict::kIn : Verdict::kDenied; };
  int calls = 0;
  for (const Row& row : kRows) {
    const std::map<std::string, Verdict> expected = {
        {"", Verdict::kUnauthenticated},
        {"unknown", Verdict::kUnauthenticated},
        {"expired", Verdict::kUnauthenticated},
        {"read", granted(row.scope == 'r')},
        {"write", granted(Rank(row.scope) <= 2)},
        {"admin", Verdict::kIn},
        {"own", granted(row.limited != Limited::kNever)},
        // ListOperations may name a collection; the others of kShared cannot.
        {"others",
         granted(row.limited == Limited::kShared && row.method != std::string("OperationService/ListOperations"))},
    };
    for (const auto& [name, verdict] : expected) {
      // A collection that is not there: what is let in does no harm.
      const absl::Status status = call.Run(row.method, "v", name.empty() ? Headers() : Bearer(name));
      EXPECT_EQ(VerdictOf(status), verdict) << row.method << " with the key '" << name << "': " << status;
      // The answer to a refusal says what to do, and never the key.
      if (verdict != Verdict::kIn) {
        EXPECT_THAT(std::string(status.message()), ::testing::Not(::testing::HasSubstr(name + "-key")));
        EXPECT_NE(base::GetErrorInfo(status).reason, "UNKNOWN") << row.method;
      }
      ++calls;
    }
    // Without naming any collection, a limited key gets no further than what is shared.
    const absl::Status unnamed = call.Run(row.method, "", Bearer("own"));
    EXPECT_EQ(VerdictOf(unnamed), granted(row.limited == Limited::kShared)) << row.method << ": " << unnamed;
  }
  EXPECT_EQ(calls, static_cast<int>(8 * methods.size()));
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

TEST(AuthorisationTest, WithoutKeysEverybodyMayDoEverything) {
  KeysFolder folder;
  const auto server = *ServerProcess::Start({.folder = folder.path()});
  GenericCall call(server->address(), grpc::InsecureChannelCredentials());
  for (const Row& row : kRows) {
    EXPECT_EQ(VerdictOf(call.Run(row.method, "v", {})), Verdict::kIn) << row.method;
    // Who brings a key to a server that asks for none is served too.
    EXPECT_EQ(VerdictOf(call.Run(row.method, "v", Bearer("any"))), Verdict::kIn) << row.method;
  }
}

// A key that is limited to collections reaches what the names it calls by are granted: an alias counts by its own name.
TEST(AuthorisationTest, AnAliasCountsByItsOwnName) {
  KeysFolder folder;
  folder.WriteKeys({KeyEntry("admin", "admin"), KeyEntry("by-alias", "admin", R"("collections": ["live"])"),
                    KeyEntry("by-name", "admin", R"("collections": ["v"])"),
                    KeyEntry("both", "admin", R"("collections": ["v", "live"])")});
  const auto server = *ServerProcess::Start({.folder = folder.path(), .flags = {"--api_keys=" + folder.keys()}});
  const auto connect = [&](const std::string& key) {
    return *client::Client::Connect({.address = server->address(), .api_key = key + "-key"});
  };
  const auto admin = connect("admin"), by_alias = connect("by-alias"), by_name = connect("by-name"),
             both = connect("both");
  v1::CreateCollectionRequest create;
  create.set_name("v");
  create.set_embedding_space("space");
  create.set_descriptor_dim(4);
  ASSERT_TRUE(admin->CreateCollection(create).ok());
  create.set_name("secret");
  ASSERT_TRUE(admin->CreateCollection(create).ok());

  // To give a name to a collection, both must be the key's.
  EXPECT_TRUE(absl::IsPermissionDenied(by_name->SetAlias("live", "v").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(by_alias->SetAlias("live", "v").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(both->SetAlias("live", "secret").status()));
  EXPECT_TRUE(absl::IsNotFound(admin->GetCollection("live").status())) << "nothing was set";
  ASSERT_TRUE(both->SetAlias("live", "v").ok());
  ASSERT_TRUE(admin->SetAlias("other", "v").ok());

  EXPECT_TRUE(by_alias->GetCollection("live").ok());
  EXPECT_TRUE(absl::IsPermissionDenied(by_alias->GetCollection("v").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(by_name->GetCollection("live").status()));
  EXPECT_TRUE(by_name->GetCollection("v").ok());
  // It is shown what it may reach, with those of the names that are its own.
  EXPECT_THAT(by_alias->GetCollection("live")->aliases(), ::testing::ElementsAre("live"));
  EXPECT_THAT(by_name->GetCollection("v")->aliases(), ::testing::IsEmpty());
  EXPECT_THAT(admin->GetCollection("v")->aliases(), ::testing::ElementsAre("live", "other"));
  EXPECT_EQ(by_alias->ListAllCollections()->size(), 1u);
  EXPECT_EQ(by_name->ListAllCollections()->size(), 1u);
  // What it has begun by the alias it can follow.
  v1::OptimizeCollectionRequest optimize;
  optimize.set_name("live");
  const auto operation = by_alias->OptimizeCollection(optimize);
  ASSERT_TRUE(operation.ok()) << operation.status();
  EXPECT_TRUE(by_alias->GetOperation(operation->name()).ok());

  // When the alias moves, so does what the key reaches; the old collection's work is not its own any more.
  ASSERT_TRUE(admin->SetAlias("live", "secret").ok());
  EXPECT_EQ(by_alias->GetCollection("live")->name(), "secret");
  EXPECT_TRUE(absl::IsNotFound(by_alias->GetOperation(operation->name()).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(by_name->DeleteAlias("live")));
  EXPECT_TRUE(by_alias->DeleteAlias("live").ok());
  EXPECT_TRUE(by_alias->ListAllCollections()->empty());
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

// Administrators' methods are refused at the main address, whatever the key, and served at the other.
TEST(AuthorisationTest, AdministratorsHaveAnAddressOfTheirOwn) {
  KeysFolder folder;
  folder.WriteKeys({KeyEntry("read", "read"), KeyEntry("admin", "admin")});
  const auto server = *ServerProcess::Start(
      {.folder = folder.path(), .flags = {"--api_keys=" + folder.keys(), "--admin_grpc_listen=127.0.0.1:0"}});
  const auto ports = *base::ReadFile(folder.Path("ports.json"), 4096);
  int admin_port = 0;
  const size_t at = ports.find("\"admin_grpc\": ");
  ASSERT_NE(at, std::string::npos) << ports;
  ASSERT_EQ(std::sscanf(ports.c_str() + at, "\"admin_grpc\": %d", &admin_port), 1) << ports;
  GenericCall main(server->address(), grpc::InsecureChannelCredentials());
  GenericCall admin(absl::StrCat("127.0.0.1:", admin_port), grpc::InsecureChannelCredentials());
  for (const Row& row : kRows) {
    const absl::Status status = main.Run(row.method, "v", Bearer("admin"));
    EXPECT_EQ(VerdictOf(status), row.scope == 'a' ? Verdict::kDenied : Verdict::kIn) << row.method << ": " << status;
    if (row.scope == 'a') {
      EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("--admin_grpc_listen"));
    }
    EXPECT_EQ(VerdictOf(admin.Run(row.method, "v", Bearer("admin"))), Verdict::kIn) << row.method;
    EXPECT_EQ(VerdictOf(admin.Run(row.method, "v", Bearer("read"))), row.scope == 'r' ? Verdict::kIn : Verdict::kDenied)
        << row.method;
  }
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

}  // namespace
}  // namespace sightline::testing
