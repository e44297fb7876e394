// PagePictures: the pictures of one ExplainPage, from files and from the server.
//
// A page holds pictures as they are: nothing is decoded or scaled here. A picture of more than 16 MiB is left out,
// since not every browser takes it (Firefox ends data: URIs at 32 MiB), and so is what would make the page larger than
// 64 MiB.
//
// Threading: one thread at a time. Ownership: borrows the client, where it has one. Failure: in PagePicture::missing; a
// page without a picture still has its numbers.
//
//   PagePictures pictures(client, "shop");
//   page.query = pictures.OfFile("shoe.jpg", bytes);
#ifndef SIGHTLINE_CLIENT_CLI_PAGE_PICTURES_H_
#define SIGHTLINE_CLIENT_CLI_PAGE_PICTURES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/explain_page.h"
#include "client/cpp/client.h"

namespace sightline::cli {

class PagePictures {
 public:
  // Of files alone.
  PagePictures() = default;
  PagePictures(client::Client& client, std::string collection) : client_(&client), collection_(std::move(collection)) {}

  // `bytes` is the file's content.
  PagePicture OfFile(const std::string& name, const std::string& bytes);

  // What the collection keeps of an image: the first of `views` that it has. There must be a client.
  PagePicture OfId(const std::string& id, const std::vector<v1::ImageView>& views);

 private:
  // Takes the bytes, or says why not.
  void Put(std::string bytes, PagePicture* picture);

  client::Client* const client_ = nullptr;
  const std::string collection_;
  int64_t total_bytes_ = 0;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_PAGE_PICTURES_H_
