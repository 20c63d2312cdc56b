module example.com/drive

go 1.23

require github.com/acme/ticketing v0.0.0

replace github.com/acme/ticketing => ./client
