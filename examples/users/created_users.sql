-- login.uuid is the one field that names a user; e-mail addresses and user names occur twice.
SELECT
  login.uuid AS id,
  name.first AS first_name,
  name.last AS last_name,
  gender,
  concat(location.street.number, ' ', location.street.name, ', ', location.city, ', ', location.state, ', ',
         location.country) AS address,
  location.postcode AS post_code,
  email,
  login.username AS username,
  dob.date AS dob,
  registered.date AS registered_date,
  phone,
  picture.medium AS picture
FROM STREAM randomuser
