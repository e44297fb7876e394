// ServerFixture: one descriptor-only server for all tests of a suite, with a collection "v" of 4 values in the
// embedding space "space" that holds "a" (1,0,0,0) and "b" (0,1,0,0). A test that changes it cleans up.
#ifndef SIGHTLINE_TESTS_E2E_SERVER_FIXTURE_H_
#define SIGHTLINE_TESTS_E2E_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "tests/e2e/rpc.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {

inline v1::CreateCollectionRequest NewCollection(const std::string& name, int dim = 4) {
  v1::CreateCollectionRequest request;
  request.set_name(name);
  request.set_embedding_space("space");
  request.set_descriptor_dim(dim);
  return request;
}

inline v1::IndexRequest NewImage(const std::string& id, const std::vector<float>& values) {
  v1::IndexRequest request;
  request.set_collection("v");
  request.mutable_item()->set_id(id);
  *request.mutable_item()->mutable_global_descriptor() = Vector(values);
  return request;
}

inline v1::SearchRequest NewSearch(const std::vector<float>& values) {
  v1::SearchRequest request;
  request.set_collection("v");
  *request.mutable_query()->add_parts()->mutable_global_descriptor() = Vector(values);
  return request;
}

// The operation once it has ended, which it must within 20 s.
inline v1::Operation WaitForEnd(client::Client& client, const std::string& name) {
  for (int i = 0; i < 2000; ++i) {
    const auto operation = client.GetOperation(name);
    EXPECT_TRUE(operation.ok()) << operation.status();
    if (!operation.ok()) return {};
    if (operation->state() != v1::Operation::STATE_PENDING && operation->state() != v1::Operation::STATE_RUNNING) {
      return *operation;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ADD_FAILURE() << name << " did not end";
  return {};
}

class ServerFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    auto server = ServerProcess::Start({.folder = folder_->path()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = *client::Client::Connect({.address = server_->address()});
    rpc_ = std::make_unique<Rpc>(server_->address());
    ASSERT_TRUE(client_->CreateCollection(NewCollection("v")).ok());
    ASSERT_TRUE(client_->Index(NewImage("a", {1, 0, 0, 0})).ok());
    ASSERT_TRUE(client_->Index(NewImage("b", {0, 1, 0, 0})).ok());
  }

  // Whatever the tests sent, the server must end well.
  static void TearDownTestSuite() {
    rpc_.reset();
    client_.reset();
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    }
    server_.reset();
    folder_.reset();
  }

  inline static std::unique_ptr<TempFolder> folder_;
  inline static std::unique_ptr<ServerProcess> server_;
  inline static std::unique_ptr<client::Client> client_;
  inline static std::unique_ptr<Rpc> rpc_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_SERVER_FIXTURE_H_
